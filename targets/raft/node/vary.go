package node

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// startsName is a file that counts how often a node was started.
const startsName = "starts"

// vary draws the settings of the protocol anew, from the seed and from how often the node was started before. None of
// them may matter to what a cluster promises, and each hides some bugs and shows others. Nodes that were started
// equally often are set alike.
func (c *Config) vary() error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(c.Dir, startsName)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	starts, _ := strconv.Atoi(strings.TrimSpace(string(text))) // a file that was cut short is that of a first start
	if err := os.WriteFile(path, []byte(strconv.Itoa(starts+1)), 0o644); err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(c.Seed, uint64(starts)))
	c.PreVote, c.CheckQuorum = r.IntN(2) == 0, r.IntN(2) == 0
	c.Heartbeat = max(time.Duration(float64(c.ElectionTimeout)/(2+4*r.Float64())), ticksPerHeartbeat*time.Millisecond)
	c.Heartbeat -= c.Heartbeat % (ticksPerHeartbeat * time.Millisecond)
	c.SnapshotEvery = []uint64{50, 200, 1000, 5000}[r.IntN(4)]
	c.SnapshotKeep = []uint64{5, 50, 500}[r.IntN(3)]
	c.MaxEntries = []int{4, 64, 256}[r.IntN(3)]
	return nil
}

// settings are what a node says of itself as it starts.
func (c *Config) settings() string {
	return fmt.Sprintf(
		"heartbeat %v, election timeout %v, pre-vote %v, check-quorum %v, snapshot every %d entries, keep %d",
		c.Heartbeat,
		c.ElectionTimeout,
		c.PreVote,
		c.CheckQuorum,
		c.SnapshotEvery,
		c.SnapshotKeep,
	)
}
