package etcd

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/sunder-dev/sunder/harness"
)

// mix adds versions that members may be restarted as. Those of a cluster may be one minor version apart, and one that
// is older than the cluster does not start (etcd's documentation, "Upgrading etcd clusters and applications").
func (t *Target) mix(others []string) error {
	own, err := parse(t.Version)
	if err != nil {
		return err
	}
	for _, other := range others {
		v, err := parse(other)
		if err != nil {
			return err
		}
		if v.minor < own.minor || v.minor > own.minor+1 {
			return fmt.Errorf("members of %s and %s do not fit together: the first is launched, and others may be of the same "+
				"minor version or the next", t.Version, other)
		}
	}
	t.Others = others
	return nil
}

// VersionOf implements [harness.VersionTeller].
func (t *Target) VersionOf(ctx context.Context, n harness.Node) (string, error) {
	c, err := t.asking(n)
	if err != nil {
		return "", err
	}
	s, err := c.Status(ctx, &etcdserverpb.StatusRequest{})
	if err != nil {
		return "", err
	}
	return "v" + s.Version, nil
}
