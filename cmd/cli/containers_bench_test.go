package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
	"github.com/sunder-dev/sunder/targets/etcd"
	"github.com/sunder-dev/sunder/workloads"
)

// plain is a node in a container as anybody would start it: no pod, no agent, no rules.
type plain struct {
	harness.Node
	name, host string
}

func (p plain) Name() string { return p.name }

func (p plain) Addr(port string) string { return plainAddr(p.host, port) }

func plainAddr(host, port string) string {
	return net.JoinHostPort(host, map[string]string{"peer": "7001", "client": "7002"}[port])
}

// startPlain starts a cluster of etcd with docker run.
func startPlain(b *testing.B, target *etcd.Target, image string, n int) []harness.Node {
	docker := func(args ...string) {
		out, err := exec.Command("docker", args...).CombinedOutput()
		require.NoError(b, err, string(out))
	}
	const network, subnet = "sunder-bench-plain", "10.199.77."
	docker("network", "create", "--subnet", subnet+"0/24", network)
	b.Cleanup(func() { docker("network", "rm", network) })
	var members []harness.Member
	for i, name := range harness.NodeNames(n) {
		host := fmt.Sprint(subnet, i+2)
		members = append(members, harness.Member{Name: name, Addr: map[string]string{"peer": plainAddr(host, "peer"), "client": plainAddr(host, "client")}})
	}
	var nodes []harness.Node
	for _, m := range members {
		host, _, _ := net.SplitHostPort(m.Addr["client"])
		spec := target.Spec(harness.Placement{Node: m.Name, Members: members, DataDir: "/data"})
		container := network + "-" + m.Name
		docker(append([]string{"run", "-d", "--name", container, "--network", network, "--ip", host, "-v", container + ":/data", "--entrypoint", spec.Command[0], image}, spec.Command[1:]...)...)
		b.Cleanup(func() { docker("rm", "-f", container); docker("volume", "rm", container) })
		nodes = append(nodes, plain{name: m.Name, host: host})
	}
	return nodes
}

// load lets clients make calls, as fast as they are answered, and returns how many succeeded in a second.
func load(b *testing.B, target *etcd.Target, nodes []harness.Node, clients int, d time.Duration, round uint64) float64 {
	o := workloads.DefaultRegister()
	o.Seed = round
	w, err := workloads.NewRegister(o)
	require.NoError(b, err)
	ctx, cancel := context.WithTimeout(b.Context(), d)
	defer cancel()
	var ok atomic.Int64
	var seen sync.Map
	var wait sync.WaitGroup
	for i := range clients {
		wait.Go(func() {
			c, err := target.Dial(ctx, nodes[i%len(nodes)])
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			r := rand.New(rand.NewPCG(round, uint64(i)))
			for seq := 0; ctx.Err() == nil; seq++ {
				call := w.Next(r, harness.Turn{Worker: i, Seq: seq, Calls: int(ok.Load()), Seen: func(key string) (json.RawMessage, bool) {
					v, ok := seen.Load(key)
					if !ok {
						return nil, false
					}
					return v.(json.RawMessage), true
				}})
				if answer, err := w.Invoke(ctx, c, call); err == nil {
					ok.Add(1)
					seen.Store(call.Key, answer.Value)
				}
			}
		})
	}
	wait.Wait()
	return float64(ok.Load()) / d.Seconds()
}

// BenchmarkPods holds an etcd cluster in pods against one in plain containers, with the same clients, in
// turns. What pods cost is the ratio.
func BenchmarkPods(b *testing.B) {
	const nodes, clients, turn = 3, 24, 5 * time.Second
	target, err := etcd.New(etcd.DefaultVersion, false, nil)
	require.NoError(b, err)
	defer target.Close()
	f, facts := openDocker(b, "etcd")
	c := harness.NewCluster(target, f, harness.NodeNames(nodes), func(node string) { b.Errorf("%s ended", node) })
	defer c.Close()
	require.NoError(b, c.Launch(b.Context(), 1, func(string) io.Writer { return io.Discard }))
	require.NoError(b, c.Serving(b.Context()))
	var inPods []harness.Node
	for _, name := range c.Nodes() {
		inPods = append(inPods, c.Node(name))
	}
	asPlain := startPlain(b, target, facts["image"], nodes)
	require.Eventually(b, func() bool { return load(b, target, asPlain, 1, time.Second, 0) > 10 }, time.Minute, time.Second)

	var pods, plains float64
	var ratios []string
	for b.Loop() {
		round := uint64(len(ratios)) + 1
		// In turns, so that whatever else the machine does hits both alike.
		p, q := load(b, target, inPods, clients, turn, 2*round), load(b, target, asPlain, clients, turn, 2*round+1)
		pods, plains = pods+p, plains+q
		ratios = append(ratios, fmt.Sprintf("%.2f", p/q))
	}
	b.ReportMetric(pods/float64(len(ratios)), "pods-ops/s")
	b.ReportMetric(plains/float64(len(ratios)), "plain-ops/s")
	b.ReportMetric(100*pods/plains, "percent")
	b.Log("ratios:", strings.Join(ratios, " "))
}
