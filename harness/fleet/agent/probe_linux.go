package agent

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"github.com/vishvananda/netlink"

	"github.com/sunder-dev/sunder/harness"
)

// Probe tries what the kernel can do in the network namespace of the process, which should be one of
// its own: it leaves its traces there.
func Probe() []Capability {
	return []Capability{
		capability(NFTables, func() error { return tryFirewall(harness.Impairment{Drop: true}) }),
		capability(Loss, func() error { return tryFirewall(harness.Impairment{Loss: 0.5}) }),
		capability(NFQueue, tryQueue),
		capability(Netem, tryNetem),
	}
}

func capability(name string, try func() error) Capability {
	c := Capability{Name: name}
	if err := try(); err != nil {
		c.Lack = err.Error()
	}
	return c
}

// tryFirewall makes the real thing, for a peer that is not there (an address for documentation).
func tryFirewall(i harness.Impairment) error {
	peer := netip.MustParseAddr("192.0.2.1")
	fw, err := NewFirewall([]netip.Addr{peer})
	if err != nil {
		return err
	}
	if err := fw.Set(map[netip.Addr]harness.Impairment{peer: i}); err != nil {
		return err
	}
	_, err = fw.Traffic()
	return err
}

// tryQueue looks for a way to hand packets to a program: nftables' own, or that of the older xtables.
func tryQueue() error {
	own := tryRule("queue", &expr.Queue{Num: 1})
	if own == nil {
		return nil
	}
	info := xt.Unknown([]byte{1, 0, 0, 0}) // struct xt_NFQ_info: the number of the queue
	old := tryRule("queue-xt", &expr.Target{Name: "NFQUEUE", Rev: 0, Info: &info})
	if old == nil {
		return nil
	}
	return fmt.Errorf("neither by nftables (%w) nor by xtables (%w)", own, old)
}

func tryRule(table string, e expr.Any) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	t := conn.AddTable(&nftables.Table{Name: "sunder-probe-" + table, Family: nftables.TableFamilyIPv4})
	c := conn.AddChain(&nftables.Chain{
		Name: "probe", Table: t, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})
	conn.AddRule(&nftables.Rule{Table: t, Chain: c, Exprs: []expr.Any{e}})
	return conn.Flush()
}

// tryNetem puts a delay on the loopback interface.
func tryNetem() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	q := netlink.NewNetem(netlink.QdiscAttrs{LinkIndex: lo.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}, netlink.NetemQdiscAttrs{Latency: 1000})
	if err := netlink.QdiscAdd(q); err != nil {
		return fmt.Errorf("the kernel has no sch_netem (%w)", err)
	}
	return nil
}
