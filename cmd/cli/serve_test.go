package cli

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/sunder-dev/sunder/cmd/child"
)

// The server says where it is, answers there, and ends when it is told to.
func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() { ended <- Execute(ctx, Default(), []string{"serve", t.TempDir()}, w, io.Discard) }()
	url, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(url, "http://127.0.0.1:"), url)
	base, token, ok := strings.Cut(strings.TrimSpace(url), "#token=")
	require.True(t, ok, url)
	require.Len(t, token, 26)
	response, err := http.Get(base + "index.html")
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Contains(t, string(body), "there are no runs yet")
	http.DefaultClient.CloseIdleConnections()
	cancel()
	require.Equal(t, child.Valid, <-ended)

	code, _, stderr := typed(t, "serve", "/nowhere")
	require.Equal(t, child.Usage, code)
	require.Contains(t, stderr, "no such file")
}
