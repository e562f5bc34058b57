// Command mysunder is sunder with a target, a workload and a checker of one's own. Its target's members are this
// program too.
package main

import (
	"log"
	"os"

	"github.com/sunder-dev/sunder/checkers"
	"github.com/sunder-dev/sunder/cmd/cli"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "member" {
		log.Fatal(serve(os.Args[2:]))
	}
	c := cli.Default()
	c.Targets["tally"] = tallyEntry()
	c.Workloads["counter"] = counterEntry()
	c.Checkers["counter"] = checkers.Entry{
		About: "a sum has all that was acknowledged before it, and nothing that was never asked for",
		New:   func(checkers.Options, string) checkers.Checker { return sums{} },
	}
	cli.Main(c)
}
