package nemesis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sunder-dev/sunder/harness"
)

// A fault does not begin where it could not be seen to act, or where another one could not be seen any more.
func TestWhatStandsBesideWhat(t *testing.T) {
	v := harness.View{Nodes: harness.NodeNames(3), Up: harness.NodeNames(3)}
	between := harness.Link{From: "n1", To: "n2"}.Both()
	cut := harness.Fault{Family: "partition", Nodes: []string{"n1"}, Deeds: []harness.Deed{{Kind: "cut", Links: between}}}
	late := harness.Fault{Family: "delay", Nodes: []string{"n2"}, Deeds: []harness.Deed{{Kind: "delay", Links: between}}}
	narrow := harness.Fault{Family: "rate", Nodes: []string{"n1"}, Deeds: []harness.Deed{{Kind: "narrow", Links: between}}}
	wider := harness.Fault{Family: "delay", Deeds: []harness.Deed{{
		Kind: "delay", Links: append(harness.Link{From: "n1", To: "n3"}.Both(), between...),
	}}}
	kill, pause := *hitNodes("kill", one, []string{"n2"}), *hitNodes("pause", one, []string{"n2"})
	unplug := *hitNodes("unplug", one, []string{"n1"})
	for _, c := range []struct {
		what                       string
		there                      harness.Standing
		f                          harness.Fault
		inTheWay, unseen, hopeless bool
	}{
		{what: "a delay of what is cut", there: harness.Standing{Fault: cut}, f: late, unseen: true},
		{what: "a delay of more than is cut", there: harness.Standing{Fault: cut}, f: wider},
		{what: "a delay of what is unplugged", there: harness.Standing{Fault: unplug}, f: late, unseen: true},
		{what: "a delay of what is narrow", there: harness.Standing{Fault: narrow}, f: late, unseen: true},
		{what: "a narrow link that is late", there: harness.Standing{Fault: late}, f: narrow},
		{what: "a cut of what is late", there: harness.Standing{Fault: late}, f: cut},
		{what: "a cut of what is becoming late", there: harness.Standing{Fault: late, Changing: true}, f: cut, unseen: true},
		{what: "a cut of some of that", there: harness.Standing{Fault: wider, Changing: true}, f: cut},
		{
			what: "a delay while another is measured", there: harness.Standing{Fault: wider, Changing: true}, f: late,
			inTheWay: true,
		},
		{what: "a pause of the killed", there: harness.Standing{Fault: kill, Changing: true}, f: pause, inTheWay: true},
		{what: "a pause of what another kill hits", there: harness.Standing{Fault: unplug, Changing: true}, f: pause},
		{what: "a network that goes while its links are cut", there: harness.Standing{Fault: cut, Changing: true}, f: unplug, inTheWay: true},
		{what: "a cut while a network goes", there: harness.Standing{Fault: unplug, Changing: true}, f: cut, inTheWay: true, unseen: true},
		{what: "the same once more", there: harness.Standing{Fault: kill}, f: kill, hopeless: true},
	} {
		t.Run(c.what, func(t *testing.T) {
			v := v
			v.Standing = []harness.Standing{c.there}
			s := Default().newSwarm(true, true)().(*swarm)
			require.Equal(t, c.inTheWay, inTheWay(v, &c.f))
			require.Equal(t, c.unseen, !noticeable(v, &c.f))
			require.Equal(t, c.hopeless, s.pointless(v, &c.f))
		})
	}
}

// What leaves no quorum, or none that clients reach, is told from what leaves one.
func TestQuorate(t *testing.T) {
	v := harness.View{Nodes: harness.NodeNames(3), Up: harness.NodeNames(3)}
	s := Default().newSwarm(true, true)().(*swarm)
	require.True(t, s.quorate(v, hitNodes("kill", one, []string{"n1"})))
	require.False(t, s.quorate(v, hitNodes("kill", majority, []string{"n1", "n2"})))
	stranded := &harness.Fault{Family: "clients", Deeds: []harness.Deed{{
		Kind: "strand", Nodes: []string{"n2", "n3"}, With: []byte(`{"lost":"both"}`),
	}}}
	require.True(t, s.quorate(v, stranded))
	v.Standing = []harness.Standing{{Fault: *hitNodes("kill", one, []string{"n1"})}}
	require.False(t, s.quorate(v, stranded))
}
