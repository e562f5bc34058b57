package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/sunder-dev/sunder/harness/fleet/process"
)

// inside is what a node's interface is called in its namespace.
const inside = "eth0"

// bridge is the network of one fleet, in the network namespace of the controller, which has its first address.
type bridge struct {
	link   *netlink.Bridge
	subnet netip.Prefix
	ends   []netlink.Link // of the nodes' cables
}

// newBridge makes a bridge: another one than those of other fleets of this controller.
func newBridge() (*bridge, error) {
	for i := range 256 {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = fmt.Sprintf("sunder%d", i)
		b := &bridge{
			link:   &netlink.Bridge{LinkAttrs: attributes},
			subnet: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, byte(i), 0}), 24),
		}
		switch err := netlink.LinkAdd(b.link); {
		case errors.Is(err, syscall.EEXIST):
			continue
		case err != nil:
			return nil, fmt.Errorf("make a bridge: %w", err)
		}
		err := errors.Join(addAddr(netlink.AddrAdd, b.link, b.controller(), b.subnet), netlink.LinkSetUp(b.link))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("bring the bridge up: %w", err), b.remove())
		}
		return b, nil
	}
	return nil, errors.New("256 bridges are there already")
}

// controller returns the address of the controller.
func (b *bridge) controller() netip.Addr { return b.subnet.Addr().Next() }

// node returns the address of the i-th node.
func (b *bridge) node(i int) netip.Addr {
	at := b.subnet.Addr().As4()
	at[3] = byte(11 + i)
	return netip.AddrFrom4(at)
}

// remove removes the bridge, and with the ends of the nodes' cables the nodes' interfaces.
func (b *bridge) remove() error {
	var errs []error
	for _, end := range b.ends {
		errs = append(errs, netlink.LinkDel(end))
	}
	if err := errors.Join(append(errs, netlink.LinkDel(b.link))...); err != nil {
		return fmt.Errorf("remove the bridge: %w", err)
	}
	return nil
}

// join moves a thread, with all that it will start, to a network namespace that is on the bridge, and returns the
// namespace. It lives for as long as the file is open.
func (b *bridge) join(thread process.Thread, addr netip.Addr) (namespace *os.File, err error) {
	err = thread.Do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		onlyIPv4()
		namespace, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, namespace.Close())
			namespace = nil
		}
	}()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = fmt.Sprintf("%s-%d", b.link.Name, addr.As4()[3])
	attributes.MasterIndex = b.link.Index
	cable := &netlink.Veth{
		LinkAttrs: attributes, PeerName: inside, PeerNamespace: netlink.NsFd(int(namespace.Fd())),
	}
	if err := netlink.LinkAdd(cable); err != nil {
		return namespace, fmt.Errorf("make a pair of interfaces (veth): %w", err)
	}
	b.ends = append(b.ends, cable)
	if err := netlink.LinkSetUp(cable); err != nil {
		return namespace, err
	}
	return namespace, within(namespace, func(h *netlink.Handle) error {
		end, err := h.LinkByName(inside)
		if err != nil {
			return err
		}
		loopback, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		return errors.Join(
			h.LinkSetUp(loopback), addAddr(h.AddrAdd, end, addr, b.subnet), h.LinkSetUp(end),
			// So that a node can start, and listen on its address, while its network is unplugged.
			addAddr(h.AddrAdd, loopback, addr, netip.PrefixFrom(addr, addr.BitLen())),
		)
	})
}

// onlyIPv4 switches IPv6 off in the network namespace of the thread, as packet rules are of IPv4. Where settings cannot
// be written, as in containers, it stays: nodes are told addresses of IPv4 alone.
func onlyIPv4() {
	for _, which := range []string{"all", "default"} {
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("1"), 0)
	}
}

// setUp brings the interface of a node up or down, and returns when it is seen to be.
func setUp(namespace *os.File, up bool) error {
	return within(namespace, func(h *netlink.Handle) error {
		end, err := h.LinkByName(inside)
		if err != nil {
			return err
		}
		set := h.LinkSetDown
		if up {
			set = h.LinkSetUp
		}
		if err := set(end); err != nil {
			return err
		}
		if end, err = h.LinkByName(inside); err != nil {
			return err
		}
		if is := end.Attrs().Flags&net.FlagUp != 0; is != up {
			return fmt.Errorf("the interface was to be up: %t, and it is: %t", up, is)
		}
		return nil
	})
}

// within does something to the interfaces of a namespace.
func within(namespace *os.File, do func(*netlink.Handle) error) error {
	h, err := netlink.NewHandleAt(netns.NsHandle(namespace.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	return do(h)
}

func addAddr(
	add func(netlink.Link, *netlink.Addr) error, to netlink.Link, addr netip.Addr, subnet netip.Prefix,
) error {
	return add(to, &netlink.Addr{IPNet: &net.IPNet{
		IP: addr.AsSlice(), Mask: net.CIDRMask(subnet.Bits(), addr.BitLen()),
	}})
}

// upLoopback brings the loopback interface of the controller's namespace up.
func upLoopback() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

// setting reads a setting of the kernel's; empty if there is none of that name.
func setting(name string) string {
	text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
