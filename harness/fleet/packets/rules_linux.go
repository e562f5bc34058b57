package packets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"golang.org/x/sys/unix"

	"github.com/sunder-dev/sunder/harness"
)

// Rules are the packet rules of one receiver: a table of our own in its network namespace. It drops on the way in: what
// is dropped on the way out is reported to the sender, whose TCP then sends again as if nothing had happened (docstring
// of Jepsen's net.clj). It hits established connections like any other. Packets to which more is
// to happen than to be lost go through a queue, whose rule is there only as long. No other table is looked at; one of
// them makes Docker's name service work.
type Rules struct {
	mu        sync.Mutex
	conn      *nftables.Conn
	table     *nftables.Table
	chain     *nftables.Chain
	peers     []netip.Addr
	namespace int               // an open file; 0 is that of the calling thread
	queues    map[uint16]*queue // by number; a link that needs none any more keeps its own
	byTarget  bool              // the rules of queues are of the older kind
}

// NewRules makes the table in the network namespace of the calling thread. Its counters live as long as the namespace
// does.
func NewRules(peers []netip.Addr) (*Rules, error) { return newRules(tableName, peers, 0) }

// NewRulesIn makes it in another network namespace, of which an open file is given.
func NewRulesIn(namespace *os.File, peers []netip.Addr) (*Rules, error) {
	return newRules(tableName, peers, int(namespace.Fd()))
}

// NewNamedRules makes a table of another name in the network namespace of the calling thread, for processes that have
// several.
func NewNamedRules(table string, peers []netip.Addr) (*Rules, error) {
	return newRules(table, peers, 0)
}

// tableName is what the table is called if nobody says otherwise.
const tableName = "sunder"

func newRules(table string, peers []netip.Addr, namespace int) (*Rules, error) {
	conn, err := nftables.New(nftables.AsLasting(), nftables.WithNetNSFd(namespace))
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	f := &Rules{
		conn: conn, table: &nftables.Table{Name: table, Family: nftables.TableFamilyIPv4}, peers: peers, namespace: namespace,
		queues: map[uint16]*queue{},
	}
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
		return nil, errors.Join(fmt.Errorf("nftables: make the table: %w", err), f.Close())
	}
	if err := f.Set(nil); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Names of counters begin with one of these and end with the peer's address.
const (
	passed  = "passed-"
	dropped = "dropped-"
)

// Set brings all links to their states at once, in one transaction; one that is not named is healthy.
func (f *Rules) Set(links map[netip.Addr]harness.Impairment) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, p := range f.peers {
		if err := f.queue(i, links[p]); err != nil {
			return err
		}
	}
	if err = f.set(links); errors.Is(err, unix.ENOENT) && !f.byTarget && len(f.queues) > 0 {
		f.byTarget = true // a kernel without the rule's own kind (nft_queue)
		err = f.set(links)
	}
	return err
}

// queue opens the queue of a link that is to become one for which it needs one, and tells those that there are.
func (f *Rules) queue(link int, i harness.Impairment) (err error) {
	number, whole, needed := f.number(link, i)
	if needed && f.queues[number] == nil {
		if f.queues[number], err = newQueue(f.namespace, number, whole, i.Duplicate > 0); err != nil {
			delete(f.queues, number)
			return err
		}
	}
	for n, q := range f.queuesOf(link) {
		if n == number && needed {
			q.become(i)
		} else {
			q.become(harness.Impairment{}) // what it holds goes on
		}
	}
	return nil
}

// queuesOf returns the queues that a link has, by number.
func (f *Rules) queuesOf(link int) map[uint16]*queue {
	of := make(map[uint16]*queue)
	for number, q := range f.queues {
		if int(number)%len(f.peers) == link {
			of[number] = q
		}
	}
	return of
}

// number returns the number of the queue of a link: packets are copied, and come one by one, only for what needs it.
func (f *Rules) number(link int, i harness.Impairment) (number uint16, whole, needed bool) {
	switch {
	case i.Duplicate > 0:
		return uint16(link + 2*len(f.peers)), true, true
	case i.Corrupt > 0, i.Rate > 0: // several packets at once would make a narrow link stand still
		return uint16(link + len(f.peers)), true, true
	default:
		return uint16(link), false, i.Delay > 0 || i.Jitter > 0 || i.Reorder > 0
	}
}

func (f *Rules) set(links map[netip.Addr]harness.Impairment) error {
	f.conn.FlushChain(f.chain)
	f.rule([]expr.Any{ // what comes a second time
		&expr.Meta{Key: expr.MetaKeyMARK, Register: register1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register1, Data: binaryutil.NativeEndian.PutUint32(againMark)},
		&expr.Verdict{Kind: expr.VerdictAccept},
	})
	for link, p := range f.peers {
		i := links[p]
		if i.Drop || i.Loss > 0 {
			drop := from(p)
			if !i.Drop {
				drop = append(drop, withChance(i.Loss)...)
			}
			f.rule(append(drop, count(dropped, p), &expr.Verdict{Kind: expr.VerdictDrop}))
		}
		f.rule(append(from(p), count(passed, p)))
		if number, _, needed := f.number(link, i); needed {
			f.rule(append(from(p), f.toQueue(number)))
		}
	}
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("nftables: set the rules: %w", err)
	}
	return nil
}

// toQueue sends packets to a number of the queue.
func (f *Rules) toQueue(number uint16) expr.Any {
	if !f.byTarget {
		return &expr.Queue{Num: number, Total: 1}
	}
	info := make(xt.Unknown, 8) // struct xt_NFQ_info_v1, aligned
	binary.NativeEndian.PutUint16(info, number)
	binary.NativeEndian.PutUint16(info[2:], 1)
	return &expr.Target{Name: "NFQUEUE", Rev: 1, Info: &info}
}

func (f *Rules) rule(exprs []expr.Any) {
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

// Traffic returns what came over each link and what was lost there, in bytes.
func (f *Rules) Traffic() (map[netip.Addr]harness.Traffic, error) {
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
	for link, p := range f.peers {
		t := harness.Traffic{Passed: bytes[passed+p.String()], Dropped: bytes[dropped+p.String()]}
		for _, q := range f.queuesOf(link) {
			t = t.And(q.did())
		}
		traffic[p] = t
	}
	return traffic, nil
}

// Close ends the connections to the kernel. The rules stay.
func (f *Rules) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.conn.CloseLasting()
	for _, q := range f.queues {
		err = errors.Join(err, q.close())
	}
	clear(f.queues)
	return err
}
