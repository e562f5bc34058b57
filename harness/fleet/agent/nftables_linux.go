package agent

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/sunder-dev/sunder/harness"
)

// nft is a table of our own in the network namespace of the process. It drops on the way in: what is
// dropped on the way out is reported to the sender, whose TCP then sends again as if nothing
// had happened (docstring of Jepsen's net.clj). It hits established connections like any other.
// No other table is looked at; one of them makes Docker's name service work.
type nft struct {
	mu    sync.Mutex
	conn  *nftables.Conn
	table *nftables.Table
	chain *nftables.Chain
	peers []netip.Addr
}

// NewFirewall makes the table in the network namespace of the process. Its counters live as long as the namespace does.
func NewFirewall(peers []netip.Addr) (Firewall, error) { return newFirewall(peers) }

// NewFirewallIn makes it in another network namespace, of which an open file is given.
func NewFirewallIn(namespace *os.File, peers []netip.Addr) (Firewall, error) {
	return newFirewall(peers, nftables.WithNetNSFd(int(namespace.Fd())))
}

func newFirewall(peers []netip.Addr, where ...nftables.ConnOption) (Firewall, error) {
	conn, err := nftables.New(append(where, nftables.AsLasting())...)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	f := &nft{conn: conn, table: &nftables.Table{Name: "sunder", Family: nftables.TableFamilyIPv4}, peers: peers}
	conn.AddTable(f.table)
	// Before everybody else who filters, so that what they drop is counted as having passed the link.
	f.chain = conn.AddChain(&nftables.Chain{
		Name: "links", Table: f.table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityRef(*nftables.ChainPriorityFilter - 10),
	})
	for _, p := range peers {
		conn.AddObj(&nftables.CounterObj{Table: f.table, Name: passed + p.String()})
		conn.AddObj(&nftables.CounterObj{Table: f.table, Name: dropped + p.String()})
	}
	if err := conn.Flush(); err != nil {
		return nil, fmt.Errorf("nftables: make the table: %w", err)
	}
	return f, f.Set(nil)
}

// Names of counters begin with one of these and end with the peer's address.
const (
	passed  = "passed-"
	dropped = "dropped-"
)

// Set implements [Firewall]: all rules are replaced in one transaction.
func (f *nft) Set(links map[netip.Addr]harness.Impairment) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn.FlushChain(f.chain)
	for _, p := range f.peers {
		i := links[p]
		if i.Drop || i.Loss > 0 {
			drop := from(p)
			if !i.Drop {
				drop = append(drop, withChance(i.Loss)...)
			}
			f.rule(append(drop, count(dropped, p), &expr.Verdict{Kind: expr.VerdictDrop}))
		}
		f.rule(append(from(p), count(passed, p)))
	}
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("nftables: set the rules: %w", err)
	}
	return nil
}

func (f *nft) rule(exprs []expr.Any) {
	f.conn.AddRule(&nftables.Rule{Table: f.table, Chain: f.chain, Exprs: exprs})
}

const (
	register1   = 1
	ipv4Source  = 12 // offset of the source address in an IPv4 header
	ipv4AddrLen = 4
)

// from matches packets of one peer.
func from(p netip.Addr) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: register1, Base: expr.PayloadBaseNetworkHeader, Offset: ipv4Source, Len: ipv4AddrLen},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register1, Data: p.AsSlice()},
	}
}

// withChance matches a share of packets at random.
func withChance(share float64) []expr.Any {
	const whole = 1 << 20
	return []expr.Any{
		&expr.Numgen{Register: register1, Modulus: whole, Type: unix.NFT_NG_RANDOM},
		// Numbers are compared as bytes, so the first one must be the most significant.
		&expr.Byteorder{SourceRegister: register1, DestRegister: register1, Op: expr.ByteorderHton, Len: 4, Size: 4},
		&expr.Cmp{
			Op:       expr.CmpOpLt,
			Register: register1,
			Data:     binaryutil.BigEndian.PutUint32(uint32(math.Round(share * whole))),
		},
	}
}

func count(what string, p netip.Addr) expr.Any {
	return &expr.Objref{Type: unix.NFT_OBJECT_COUNTER, Name: what + p.String()}
}

// Traffic implements [Firewall].
func (f *nft) Traffic() (map[netip.Addr]harness.Traffic, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	objects, err := f.conn.GetObjects(f.table)
	if err != nil {
		return nil, fmt.Errorf("nftables: read the counters: %w", err)
	}
	bytes := make(map[string]uint64, len(objects))
	for _, o := range objects {
		if c, ok := o.(*nftables.CounterObj); ok {
			bytes[c.Name] = c.Bytes
		}
	}
	traffic := make(map[netip.Addr]harness.Traffic, len(f.peers))
	for _, p := range f.peers {
		traffic[p] = harness.Traffic{Passed: bytes[passed+p.String()], Dropped: bytes[dropped+p.String()]}
	}
	return traffic, nil
}

// Close implements [Firewall].
func (f *nft) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conn.CloseLasting()
}
