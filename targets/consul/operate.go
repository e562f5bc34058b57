package consul

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/sunder-dev/sunder/harness"
)

// Operate implements [harness.Operated], as 'consul operator raft transfer-leader' and 'consul snapshot save' do it.
func (t *Target) Operate(ctx context.Context, n harness.Node, what harness.Capability) error {
	switch what {
	case harness.MoveLeader: // a follower would ask the leader
		return t.operate(ctx, http.MethodPost, n, "/v1/operator/raft/transfer-leader")
	case harness.SaveSnapshot:
		err := t.operate(ctx, http.MethodGet, n, "/v1/snapshot?stale")
		if err != nil { // nothing is changed by it: an error means that there is none
			err = fmt.Errorf("%w: %w", err, harness.ErrNotApplied)
		}
		return err
	}
	return fmt.Errorf("%s: %w", what, harness.ErrNotApplied) // nothing was asked
}

// operate makes one request and reads the answer to its end, whatever is in it.
func (t *Target) operate(ctx context.Context, method string, n harness.Node, path string) error {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+n.Addr(portHTTP)+path, nil)
	if err != nil {
		return err
	}
	response, err := t.status.Do(r)
	if err != nil {
		return undialled(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(response.Body, 200)) // what there is
		err := fmt.Errorf("%s: %q", response.Status, said)
		if response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusMethodNotAllowed {
			return fmt.Errorf("%w: %w", err, harness.ErrNotApplied) // versions before 1.15 do not have it
		}
		return err
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)); err != nil {
		return errors.New("the answer ended before its end: " + err.Error())
	}
	return nil
}
