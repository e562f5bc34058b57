package harness

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sunder-dev/sunder/harness/history"
)

// machineInterval is how often the controller looks how late it is.
const machineInterval = 10 * time.Millisecond

// usageInterval is how often the controller looks who uses the processors: often enough that little is missed of a
// node that is killed in between.
const usageInterval = 250 * time.Millisecond

// Process is a node that is a process of this machine, so that one can see what it uses.
type Process interface {
	// Pid returns the number of the process, or 0 if there is none.
	Pid() int
}

// watchMachine measures how late the controller comes to what it wants to do, and who uses the processors, until stop
// is called. What a cluster does on a machine that has no time for it says little of the cluster.
func watchMachine(nodes []Node) (stop func() history.Machine) {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	var late lateness
	use := newUsage(nodes)
	wait.Go(func() {
		look := time.Now().Add(usageInterval)
		for due := time.Now().Add(machineInterval); sleep(ctx, time.Until(due)); due = time.Now().Add(machineInterval) {
			late.add(time.Since(due))
			if time.Now().After(look) {
				use.look()
				look = time.Now().Add(usageInterval)
			}
		}
	})
	return func() history.Machine {
		cancel()
		wait.Wait()
		m := history.Machine{LateP99: late.quantile(0.99), LateMax: late.most}
		use.look()
		use.shares(&m)
		return m
	}
}

// usage adds up what the controller and the nodes use of the processors, and what everybody does, in ticks of the
// kernel's clock.
type usage struct {
	pids             []Process
	last             map[int]uint64 // by process
	busy, idle       uint64         // of the machine, as of the last look
	ours, used, free uint64         // since the first
	unknown          bool
}

func newUsage(nodes []Node) *usage {
	u := &usage{last: make(map[int]uint64)}
	for _, n := range nodes {
		p, ok := n.(Process)
		if !ok {
			return &usage{unknown: true}
		}
		u.pids = append(u.pids, p)
	}
	var ok bool
	if u.busy, u.idle, ok = machineTicks(); !ok {
		u.unknown = true
	}
	for _, pid := range u.alive() {
		u.last[pid], _ = processTicks(pid)
	}
	return u
}

// alive returns the processes that are ours.
func (u *usage) alive() []int {
	pids := []int{os.Getpid()}
	for _, p := range u.pids {
		if pid := p.Pid(); pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (u *usage) look() {
	if u.unknown {
		return
	}
	busy, idle, ok := machineTicks()
	if !ok {
		u.unknown = true
		return
	}
	u.used, u.free = u.used+busy-u.busy, u.free+idle-u.idle
	u.busy, u.idle = busy, idle
	for _, pid := range u.alive() {
		if now, ok := processTicks(pid); ok {
			u.ours += now - min(u.last[pid], now) // what it was is 0 of a process that is new
			u.last[pid] = now
		}
	}
}

func (u *usage) shares(m *history.Machine) {
	all := float64(u.used + u.free)
	if u.unknown || all == 0 {
		return
	}
	m.Idle, m.Ours = float64(u.free)/all, min(float64(u.ours), float64(u.used))/all
	m.Others = max(0, 1-m.Idle-m.Ours)
}

// machineTicks reads how long the processors have been busy, and idle, since the machine started.
func machineTicks() (busy, idle uint64, ok bool) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal guest guest_nice
	for i := 1; i < min(len(fields), 9); i++ {
		n, err := strconv.ParseUint(fields[i], 10, 64)
		if err != nil {
			return 0, 0, false
		}
		if i == 4 || i == 5 {
			idle += n
		} else {
			busy += n
		}
	}
	return busy, idle, len(fields) > 8
}

// processTicks reads how long a process has had a processor.
func processTicks(pid int) (ticks uint64, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false
	}
	_, rest, _ := strings.Cut(
		string(text[max(0, bytes.LastIndexByte(text, ')')):]),
		" ",
	) // its name may have anything in it
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, false
	}
	user, err1 := strconv.ParseUint(fields[11], 10, 64)
	system, err2 := strconv.ParseUint(fields[12], 10, 64)
	return user + system, err1 == nil && err2 == nil
}

// lateness counts times by their size: bucket i has those below 2^i microseconds.
type lateness struct {
	buckets [40]int
	n       int
	most    time.Duration
}

func (l *lateness) add(d time.Duration) {
	i := 0
	for us := d.Microseconds(); us > 0 && i < len(l.buckets)-1; us >>= 1 {
		i++
	}
	l.buckets[i]++
	l.n++
	l.most = max(l.most, d)
}

// quantile returns a bound of all but a share of the times.
func (l *lateness) quantile(q float64) time.Duration {
	rest := int(float64(l.n) * (1 - q))
	for i := len(l.buckets) - 1; i > 0; i-- {
		if rest -= l.buckets[i]; rest < 0 {
			return min(time.Duration(1<<i)*time.Microsecond, l.most)
		}
	}
	return 0
}
