package raft

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every bug that the code has a switch for is in the list, and the list has no other.
func TestTheListOfBugsIsWhole(t *testing.T) {
	var listed, switches []string
	for _, b := range Bugs() {
		listed = append(listed, b.Name)
	}
	for _, dir := range []string{"core", "node"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			require.NoError(t, err)
			ast.Inspect(f, func(n ast.Node) bool { // X Bug = "name", of which type it is in core or elsewhere
				v, ok := n.(*ast.ValueSpec)
				if !ok || len(v.Values) != 1 {
					return true
				}
				of, _ := v.Type.(*ast.Ident)
				from, _ := v.Type.(*ast.SelectorExpr)
				if of != nil && of.Name == "Bug" || from != nil && from.Sel.Name == "Bug" {
					name, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
					require.NoError(t, err)
					switches = append(switches, name)
				}
				return true
			})
		}
	}
	require.ElementsMatch(t, switches, listed)
}
