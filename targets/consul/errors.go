package consul

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/sunder-dev/sunder/harness"
)

// outcome is what an answer that is no success says of the change that was asked for.
type outcome struct {
	code    int
	message string // what it begins with
	proof   bool   // that the change has not happened, and will not
	why     string
}

// outcomes are the answers that are known. What is not among them is a maybe.
var outcomes = []outcome{
	{
		http.StatusInternalServerError,
		"No cluster leader",
		true,
		"said by ForwardRPC when it knows nobody to forward to; nothing was proposed, and it gives up",
	},
	{http.StatusTooManyRequests, "", true, "the limiter refuses a request before it is handled"},
	{http.StatusBadRequest, "", true, "the request is refused before it is handled"},
	{http.StatusForbidden, "", true, "permissions are checked before anything is proposed"},
	{http.StatusRequestEntityTooLarge, "", true, "the size is checked before anything is proposed"},

	{
		http.StatusInternalServerError,
		"leadership lost while committing log",
		false,
		"it is in the log of a leader that was, and may be committed by the next",
	},
	{
		http.StatusInternalServerError,
		"node is not the leader",
		false,
		"said by Raft before it appends, but also by a forwarded call of which more is not known",
	},
	{
		http.StatusInternalServerError,
		"rpc error",
		false,
		"what the leader did before the connection to it broke is not known",
	},
	{http.StatusInternalServerError, "raft is already shutdown", false, "it may have proposed before it stopped"},
}

// judge says of an answer whether it proves that nothing has happened.
func judge(code int, message string) error {
	err := fmt.Errorf("%d: %.200s", code, message)
	for _, o := range outcomes {
		if o.code == code && strings.HasPrefix(message, o.message) {
			if o.proof {
				return fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
			}
			return err
		}
	}
	return err
}
