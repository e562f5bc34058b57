package harnesstest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sunder-dev/sunder/harness"
)

// How a node stands to the cluster, beside being a member.
const (
	removed = "removed"
	learner = "learner"
)

// RemoveMember implements [harness.Membered]: a quorum must agree.
func (f *Fake) RemoveMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	return f.agree(ctx, asked, func() error {
		if !f.nodes[m.Name].killed {
			return fmt.Errorf("%s serves", m.Name)
		}
		f.outside[m.Name] = removed
		return nil
	})
}

// AddMember implements [harness.Membered].
func (f *Fake) AddMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	return f.agree(ctx, asked, func() error {
		if !f.nodes[m.Name].wiped {
			return fmt.Errorf("%s is to know nothing", m.Name)
		}
		f.outside[m.Name] = learner
		return nil
	})
}

// PromoteMember implements [harness.Membered].
func (f *Fake) PromoteMember(ctx context.Context, asked harness.Node, m harness.Member) error {
	return f.agree(ctx, asked, func() error {
		if f.outside[m.Name] == removed || f.nodes[m.Name].killed {
			return fmt.Errorf("%s is not there", m.Name)
		}
		delete(f.outside, m.Name)
		return nil
	})
}

// agree changes something if a node that is in contact with a majority is asked.
func (f *Fake) agree(ctx context.Context, asked harness.Node, change func() error) error {
	if err := asked.(*node).wait(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.serves(asked.Name()) {
		return errors.New("there is no quorum")
	}
	return change()
}

// Launched returns what nodes were to be started as since the launch.
func (f *Fake) Launched() []harness.NodeSpec {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.launched
}

// VersionOf implements [harness.VersionTeller]: it is empty for the one that was launched.
func (f *Fake) VersionOf(ctx context.Context, n harness.Node) (string, error) {
	if err := n.(*node).wait(ctx); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Mistakes.WrongVersion {
		return "v1", nil
	}
	return strings.Join(f.nodes[n.Name()].version, ""), nil
}
