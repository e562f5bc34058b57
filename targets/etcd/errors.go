package etcd

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/status"

	"github.com/sunder-dev/sunder/harness"
)

// outcome is what an error of etcd says of the change that was asked for.
type outcome struct {
	message string // or a part of it
	proof   bool   // that the change has not happened, and will not
	why     string
}

// outcomes are the errors that are known, by their messages: their codes differ between versions. What
// is not among them is a maybe, and so is every error that comes from nowhere but time running out.
var outcomes = []outcome{
	{
		"transport: Error while dialing",
		true,
		"without a connection no byte of the request has left; a request on a connection that breaks has another error",
	},
	{
		"raft proposal dropped",
		true,
		"raft's Step says so before it appends or forwards anything: there was no leader, or it was about to resign",
	},
	{"etcdserver: rpc not supported for learner", true, "checked before the call is made (v3rpc/interceptor.go)"},
	{"etcdserver: too many requests", true, "checked before the proposal (processInternalRaftRequestOnce)"},
	{"etcdserver: request is too large", true, "checked before the proposal (processInternalRaftRequestOnce)"},
	{"etcdserver: key is not provided", true, "checked before anything else (checkPutRequest)"},
	{"etcdserver: duplicate key given in txn request", true, "checked before anything else (checkTxnRequest)"},
	{"etcdserver: too many operations in txn request", true, "checked before anything else (checkTxnRequest)"},

	{
		"etcdserver: mvcc: database space exceeded",
		false,
		"may be said after the change was made: quotaApplierV3 applies it and reports the lack of space all the same",
	},
	{
		"etcdserver: request timed out",
		false,
		"the proposal is in some log, or on its way to one; also 'due to previous leader failure' and 'due to " +
			"connection lost'",
	},
	{"etcdserver: leader changed", false, "the proposal may be in the log of either leader"},
	{"etcdserver: no leader", false, "said when a leader was lost, too"},
	{"etcdserver: server stopped", false, "it may have proposed before it stopped"},
	{"etcdserver: corrupt cluster", false, "members may differ in whether they apply it, which is what corrupt means"},
	{"error reading from server", false, "the connection broke after the request was sent"},
	{"transport is closing", false, "the connection broke, perhaps after the request was sent"},
	{"context deadline exceeded", false, "the member may have proposed it, or may yet"},
}

// judge says of an error of the client whether it proves that nothing has happened.
func judge(err error) error {
	message := err.Error()
	if s, ok := status.FromError(err); ok {
		message = s.Message()
	}
	for _, o := range outcomes {
		if strings.Contains(message, o.message) {
			if o.proof {
				return fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
			}
			return err
		}
	}
	return err
}
