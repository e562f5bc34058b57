// Command sunder starts a real cluster, breaks it on purpose, and says whether it kept its
// promises. One binary has all roles: the controller, a node of the built-in Raft (`sunder raftd`), and the agent in a
// node's pod.
//
// A program of one's own is the same with other entries: add them to the catalogue before it is handed over.
package main

import "github.com/sunder-dev/sunder/cmd/cli"

func main() {
	cli.Main(cli.Default())
}
