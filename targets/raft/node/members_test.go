package node

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/targets/raft/core"
)

// A member that died is replaced by a new server with an empty disk, which learns all by a snapshot and counts from
// then on: with it, another one can be lost.
func TestAMemberIsReplaced(t *testing.T) {
	m := startMembers(t, 3, func(c *Config) { c.SnapshotEvery, c.SnapshotKeep = 20, 5 })
	for i := range 3 {
		m.start(i)
	}
	for i := range 50 {
		m.eventually(i%3, "PUT", fmt.Sprint("/kv/k", i), fmt.Sprintf(`{"value": "%d"}`, i), 200)
	}
	asked := func(method, path string) {
		require.Eventually(t, func() bool {
			for i := range 2 {
				if code, _ := m.call(i, method, path, ""); code == 200 {
					return true
				}
			}
			return false
		}, 20*time.Second, 20*time.Millisecond, "%s %s", method, path)
	}
	m.stop(2)
	asked("DELETE", "/members/n3")
	asked("DELETE", "/members/n3")
	m.configs[2].ID, m.configs[2].Dir = core.NewID(3, 1), t.TempDir()
	asked("PUT", "/members/n3.1")
	m.start(2)
	asked("POST", "/members/n3.1/promote")

	m.stop(0)
	m.eventually(2, "PUT", "/kv/x", `{"value": "1"}`, 200)
	require.Equal(t, "49", *m.eventually(2, "GET", "/kv/k49", "", 200).Value)
	m.stop(2)
	m.start(0)
	m.start(2) // and still knows who it is
	m.eventually(2, "PUT", "/kv/x", `{"value": "2"}`, 200)
	response, err := m.client.Get("http://" + m.configs[2].Client + "/status")
	require.NoError(t, err)
	defer response.Body.Close()
	var s Status
	require.NoError(t, json.NewDecoder(response.Body).Decode(&s))
	require.Equal(t, []string{"n1", "n2", "n3.1"}, s.Voters)
	require.Contains(t, []string{"n1", "n2", "n3"}, s.Leader, "whom clients know by the place")
	require.Equal(t, "n3.1", s.ID)
}

// What cannot be a change is refused, and nothing comes of it.
func TestChangesOfMembersAreRefused(t *testing.T) {
	m := startMembers(t, 1, nil)
	m.start(0)
	m.eventually(0, "PUT", "/kv/x", `{"value": "1"}`, 200)
	for path, want := range map[string]struct {
		code int
		says string
	}{
		"DELETE /members/n1":         {409, "n1 is the last voter"},
		"PUT /members/n1.1":          {409, "n1 stands where n1.1 is to come"},
		"POST /members/n1.1/promote": {409, "n1.1 is no learner"},
		"PUT /members/n2":            {400, "no such place"},
		"PUT /members/x":             {400, `node "x"`},
	} {
		var method, where string
		_, err := fmt.Sscan(path, &method, &where)
		require.NoError(t, err)
		code, r := m.call(0, method, where, "")
		require.Equal(t, want.code, code, path)
		require.Contains(t, r.Error, want.says, path)
	}
}

func TestServersHaveNames(t *testing.T) {
	for name, want := range map[string]core.ID{"n1": 1, "n7.3": core.NewID(7, 3), "n65535": 65535} {
		id, err := ParseID(name)
		require.NoError(t, err)
		require.Equal(t, want, id)
		require.Equal(t, name, id.String())
	}
	for _, name := range []string{"", "n", "n0", "1", "n01", "n1.0", "n1.", "n1.-1", "n1.1.1", "n65536", "n1.99999999999"} {
		_, err := ParseID(name)
		require.ErrorContains(t, err, "nodes are named n1", name)
	}
}
