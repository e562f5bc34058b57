package cli

// demos are those of sunder. They need nothing but sunder, unless they say so.
func demos() []Demo {
	const paused = "--workload lock --nemesis pause@holder=3s/500ms --rate 400 --ttl 1s"
	return []Demo{
		{
			Name:  "split-brain",
			About: "Bully in a partition of 3 and 2: two leaders, and what one of them acknowledged is lost",
			Args:  "--target bully --nemesis partition:halves=4s/1s --expect invalid:leader:single,linear",
			Lesson: "Whoever does not answer is taken for dead, so each side elects a leader. Without a quorum nothing " +
				"keeps the smaller side from serving.",
		},
		{
			Name:  "quorum",
			About: "Raft in the same partitions: one leader at a time can do anything",
			Args:  "--target raft --nemesis partition:halves=4s/1s --expect valid",
			Lesson: "A leader needs a majority for each write, and two majorities have a member in common. The smaller side " +
				"refuses, which is the price.",
		},
		{
			Name: "stale-read",
			About: "Raft whose leaders answer reads without asking a majority: a leader that was deposed answers with the " +
				"past",
			Args: "--target raft --bug read-unconfirmed --target-flag check-quorum=false --nemesis " +
				"partition:halves@leader=3s/1s --expect invalid:linear",
			Lesson: "Who leads can be known only at a moment that has passed. A read needs a majority too, or a lease on a " +
				"clock that can be trusted.",
		},
		{
			Name:  "two-holders",
			About: "a lock whose holder is paused for longer than its TTL: two clients hold it, and both write",
			Args:  paused + " --fencing=false --expect invalid:mutex",
			Lesson: "The store is right, and the lock is lost all the same: a paused client cannot learn that " +
				"its time is over. No lock with a TTL can prevent that.",
		},
		{
			Name:  "fencing",
			About: "the same, and the resource checks tokens: the late write is refused",
			Args:  paused + " --fencing --expect valid",
			Lesson: "Each holder gets a higher token than the one before. A resource that remembers the highest it has seen " +
				"refuses the writes of all holders before.",
		},
		{
			Name:  "etcd-lock",
			About: "the same with etcd's own client and lock (builds etcd, once, or takes it from an image)",
			Args:  "--target etcd --workload lock --nemesis pause@holder=4s/1s --fencing=false --expect invalid:mutex",
			Lesson: "etcd documents it: its lock is safe only with the revision of the lock's key as a token, or as a " +
				"condition of the transaction that writes.",
		},
		{
			Name: "redis-lock",
			About: "Redis with Sentinel, and its primary cut off: two primaries, and two holders of one lock (needs " +
				"redis-server and redis-sentinel)",
			Args: "--target redis --nodes 3 --workload lock --nemesis partition:isolate@leader=7s/3s --fencing=false " +
				"--time-limit 25s --expect invalid:mutex,leader:single",
			Lesson: "A primary that acknowledges before anybody else has heard of it cannot be replaced without losing " +
				"what it acknowledged: locks and the tokens that protect from that, too.",
		},
	}
}
