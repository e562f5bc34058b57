package history

import "slices"

// Link is the way from one node to another. The way back is another link.
type Link struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// String returns "n1>n2".
func (l Link) String() string { return l.From + ">" + l.To }

// Both returns a link and the way back.
func (l Link) Both() []Link { return []Link{l, {From: l.To, To: l.From}} }

// Clients is one end of the links between nodes and all clients, the harness's own questions included.
const Clients = "clients"

// Takes is what a fault takes from the cluster while it is in force, as far as it matters to others: who looks for a
// quorum need not know what was done to whom.
type Takes struct {
	// Down are nodes that do not run, or that nobody reaches.
	Down []string `json:"down,omitempty"`
	// Cut are links that lose everything; Lossy lose some, and Slow are late.
	Cut   []Link `json:"cut,omitempty"`
	Lossy []Link `json:"lossy,omitempty"`
	Slow  []Link `json:"slow,omitempty"`
	// Garbled are links over which packets come in another order than they were sent, or twice.
	Garbled []Link `json:"garbled,omitempty"`
	// Stranded are nodes that clients cannot talk to, although they run and reach each other.
	Stranded []string `json:"stranded,omitempty"`
	// Disk and Clock are nodes whose disk or clock is not as it should be.
	Disk  []string `json:"disk,omitempty"`
	Clock []string `json:"clock,omitempty"`
	// Version are nodes that run another version of the server.
	Version []string `json:"version,omitempty"`
}

// And returns what two takes come to.
func (t Takes) And(other Takes) Takes {
	return Takes{
		Down: slices.Concat(t.Down, other.Down), Cut: slices.Concat(t.Cut, other.Cut),
		Lossy: slices.Concat(t.Lossy, other.Lossy), Slow: slices.Concat(t.Slow, other.Slow),
		Garbled:  slices.Concat(t.Garbled, other.Garbled),
		Stranded: slices.Concat(t.Stranded, other.Stranded),
		Version:  slices.Concat(t.Version, other.Version),
		Disk:     slices.Concat(t.Disk, other.Disk), Clock: slices.Concat(t.Clock, other.Clock),
	}
}

// Quorate reports whether some node that runs can talk, both ways, with enough others of the given ones for a majority.
// It is true of no nodes: it is not known who there is.
func (t Takes) Quorate(nodes []string) bool {
	return len(nodes) == 0 || slices.ContainsFunc(nodes, func(n string) bool {
		return !slices.Contains(t.Down, n) && t.majority(n, nodes)
	})
}

// Served reports whether, of such nodes, some are not stranded.
func (t Takes) Served(nodes []string) bool {
	return len(nodes) == 0 || slices.ContainsFunc(nodes, func(n string) bool {
		return !slices.Contains(t.Down, n) && !slices.Contains(t.Stranded, n) && t.majority(n, nodes)
	})
}

// CutOff reports whether a node cannot talk, both ways, with enough of the others for a majority, whether or not it
// runs.
func (t Takes) CutOff(node string, nodes []string) bool {
	return !Takes{Cut: t.Cut}.majority(node, nodes)
}

func (t Takes) majority(node string, nodes []string) bool {
	reach := 0
	for _, o := range nodes {
		cut := slices.Contains(t.Cut, Link{node, o}) || slices.Contains(t.Cut, Link{o, node})
		if o == node || !slices.Contains(t.Down, o) && !cut {
			reach++
		}
	}
	return reach > len(nodes)/2
}

// members returns all nodes that are named.
func (t Takes) members() []string {
	links := slices.Concat(t.Cut, t.Lossy, t.Slow, t.Garbled)
	return slices.Concat(t.Down, t.Stranded, t.Disk, t.Clock, t.Version, ends(links))
}
