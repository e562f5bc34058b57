// Package endpoint is how companions of a cluster are called: JSON by HTTP, at one address.
package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// maxBody bounds what either side can make the other read.
const maxBody = 1 << 16

// Serve lets a handler answer at an address until ctx ends.
func Serve(ctx context.Context, listen string, h http.Handler) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Decode reads the body of a request, and answers it with an error if it cannot be read.
func Decode(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	_, _ = io.Copy(io.Discard, r.Body) // so that the server sees when the caller hangs up
	return true
}

// Post sends JSON to an address, and returns the status of the answer and its body.
func Post(ctx context.Context, c *http.Client, addr string, what any) (status int, body []byte, err error) {
	content, err := json.Marshal(what)
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/", bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	answer, err := c.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, maxBody))
	return answer.StatusCode, body, err
}

// Ready returns nil if whoever serves at an address says that it is ready, by 200 for a GET.
func Ready(ctx context.Context, addr string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, maxBody)) // the status says enough
		return fmt.Errorf("it answers %d: %s", answer.StatusCode, bytes.TrimSpace(text))
	}
	return nil
}
