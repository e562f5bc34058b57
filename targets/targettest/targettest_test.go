package targettest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/fleet/local"
	"github.com/sunder-dev/sunder/harness/history"
	"github.com/sunder-dev/sunder/targets/raft"
	"github.com/sunder-dev/sunder/workloads"
)

func TestMain(m *testing.M) {
	raft.ServeIfNode()
	m.Run()
}

// The built-in Raft passes, and the suite says of a target that is wrong what is wrong with it.
func TestTheSuite(t *testing.T) {
	for want, spoil := range map[string]func(w *wrong){
		"":                                         func(*wrong) {},
		"a target has from 1 to 4":                 func(w *wrong) { w.ports = []string{} },
		"Spec is not pure":                         func(w *wrong) { w.impure = true },
		"is not told where n1 is":                  func(w *wrong) { w.lonely = true },
		"is taken for a claim":                     func(w *wrong) { w.claims = true },
		"a member that is not there is ready":      func(w *wrong) { w.ready = true },
		"cannot have happened, and":                func(w *wrong) { w.client = func(k workloads.KV) workloads.KV { return doubtful{k} } },
		"its client says otherwise of kv":          func(w *wrong) { w.can = []harness.Capability{harness.Leader} },
		"is a refusal, not":                        func(w *wrong) { w.client = func(k workloads.KV) workloads.KV { return blind{k} } },
		"at another member after a write: the key": func(w *wrong) { w.client = func(k workloads.KV) workloads.KV { return forgetful{k} } },
		"a compare-and-set found \"17\"":           func(w *wrong) { w.client = func(k workloads.KV) workloads.KV { return liar{k} } },
	} {
		t.Run(want, func(t *testing.T) {
			right, err := raft.New(nil)
			require.NoError(t, err)
			w := &wrong{Target: right}
			spoil(w)
			err = Check(t.Context(), Config{Target: w, Fleet: func() (harness.Fleet, error) { return local.New(t.TempDir(), 0), nil }})
			if want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// wrong is the built-in Raft with a mistake.
type wrong struct {
	*raft.Target
	ports                         []string
	can                           []harness.Capability
	impure, lonely, claims, ready bool
	specs                         int
	client                        func(workloads.KV) workloads.KV
}

func (w *wrong) Ports() []string {
	if w.ports != nil {
		return w.ports
	}
	return w.Target.Ports()
}

func (w *wrong) Can() []harness.Capability {
	if w.can != nil {
		return w.can
	}
	return w.Target.Can()
}

func (w *wrong) Spec(p harness.Placement) harness.NodeSpec {
	if w.lonely {
		p.Members = p.Members[2:]
	}
	s := w.Target.Spec(p)
	if w.specs++; w.impure {
		s.Env = append(s.Env, fmt.Sprint("N=", w.specs))
	}
	return s
}

func (w *wrong) Claim(line []byte) (uint64, bool) {
	if w.claims {
		return 1, true
	}
	return w.Target.Claim(line)
}

func (w *wrong) Ready(ctx context.Context, n harness.Node) error {
	if w.ready {
		return nil
	}
	return w.Target.Ready(ctx, n)
}

func (w *wrong) Dial(ctx context.Context, n harness.Node) (harness.Client, error) {
	c, err := w.Target.Dial(ctx, n)
	if err == nil && w.client != nil {
		c = closing{w.client(c.(workloads.KV)), c}
	}
	return c, err
}

// closing closes what it wraps.
type closing struct {
	workloads.KV
	harness.Client
}

// doubtful takes every error for a maybe.
type doubtful struct{ workloads.KV }

func (d doubtful) Write(ctx context.Context, key, value string) (history.Stamp, error) {
	at, err := d.KV.Write(ctx, key, value)
	if err != nil {
		err = fmt.Errorf("who knows: %v", err) //nolint:errorlint // that is the mistake
	}
	return at, err
}

// blind sets without comparing.
type blind struct{ workloads.KV }

func (b blind) CompareAndSet(ctx context.Context, key, _, value string) (history.Stamp, error) {
	return b.Write(ctx, key, value)
}

// forgetful acknowledges what it does not write.
type forgetful struct{ workloads.KV }

func (f forgetful) Write(ctx context.Context, key, value string) (history.Stamp, error) {
	_, at, err := f.Read(ctx, key)
	return at, err
}

// liar found another value than there was.
type liar struct{ workloads.KV }

func (l liar) CompareAndSet(ctx context.Context, key, old, value string) (history.Stamp, error) {
	at, err := l.KV.CompareAndSet(ctx, key, old, value)
	if err != nil {
		other := "17"
		err = harness.Refusal{Reason: history.Mismatch, Found: &other, Known: true}
	}
	return at, err
}
