package targettest

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/harness/history"
)

// memory is a client of a key in memory, with mistakes.
type memory struct {
	mu    sync.Mutex
	value uint64
	until time.Time

	short, careless, wordy, deaf, immortal bool
}

func (m *memory) now() uint64 {
	if !m.immortal && time.Now().After(m.until) {
		m.value = 0
	}
	return m.value
}

func (m *memory) Read(context.Context, string) (*string, history.Stamp, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now() == 0 {
		return nil, history.Stamp{}, nil
	}
	text := strconv.FormatUint(m.value, 10)
	return &text, history.Stamp{}, nil
}

func (m *memory) Grant(_ context.Context, _ string, value uint64, ttl time.Duration) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now() != 0 && !m.careless {
		return 0, harness.Refusal{Reason: history.Taken}
	}
	if m.short {
		ttl /= 2
	}
	m.value, m.until = value, time.Now().Add(ttl)
	return ttl, nil
}

func (m *memory) KeepAlive(_ context.Context, _ string, value uint64, ttl time.Duration) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now() != value && !m.wordy {
		return 0, harness.Refusal{Reason: history.Gone}
	}
	m.until = time.Now().Add(ttl)
	return ttl, nil
}

func (m *memory) Revoke(_ context.Context, _ string, value uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.deaf:
		return nil
	case m.now() != value:
		return harness.Refusal{Reason: history.Gone}
	}
	m.value = 0
	return nil
}

// The suite says of leases that are wrong what is wrong with them.
func TestLeases(t *testing.T) {
	for want, m := range map[string]*memory{
		"":                                    {},
		"grant: it is given 1s":               {short: true},
		"grant what is taken: that is to be":  {careless: true},
		"keep alive what was revoked: that i": {wordy: true},
		"read what was revoked: the key hold": {deaf: true},
		"let it run out":                      {immortal: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			if err := leasesOf(t.Context(), m, m); want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
