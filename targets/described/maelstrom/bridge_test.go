package maelstrom

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "node" {
		play(os.Args[2])
		return
	}
	goleak.VerifyTestMain(m)
}

// play is a node: a key that is the number of another node is read there; what is written has the errors that it names.
func play(mode string) {
	fmt.Fprintln(os.Stderr, "a word to the log")
	var self string
	write := func(dest, format string, args ...any) {
		fmt.Printf(`{"src": %q, "dest": %q, "body": %s}`+"\n", self, dest, fmt.Sprintf(format, args...))
	}
	clients := map[int]message{} // whose reads others do for us
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		m, _, err := parse(lines.Bytes())
		if err != nil {
			panic(err)
		}
		var b body
		_ = json.Unmarshal(m.Body, &b) // what nodes tell each other has a code that is none of Maelstrom's
		switch {
		case b.Type == "init" && mode == "mute":
			write(m.Src, `{"type": "error", "code": 14, "text": "no", "in_reply_to": %d}`, b.MsgID)
		case b.Type == "init":
			self = b.NodeID
			write(m.Src, `{"type": "init_ok", "in_reply_to": %d}`, b.MsgID)
		case b.Type == "read" && string(b.Key) == "0":
			fmt.Println("this is no message")
			write("lin-kv", `{"type": "read", "key": 0, "msg_id": 99}`)
			clients[99] = message{Src: m.Src, Body: json.RawMessage(fmt.Sprint(b.MsgID))}
		case b.Type == "read" && "n"+string(b.Key) != self && b.Key[0] < '8':
			write("n"+string(b.Key), `{"type": "ask", "msg_id": %d}`, b.MsgID)
			clients[b.MsgID] = message{Src: m.Src, Body: json.RawMessage(fmt.Sprint(b.MsgID))}
		case b.Type == "ask":
			write(m.Src, `{"type": "told", "code": "ours", "value": %q, "in_reply_to": %d}`, self, b.MsgID)
		case b.Type == "told" || b.Type == "error":
			asked := clients[b.InReplyTo]
			value, _ := json.Marshal(string(b.Value) + b.Text)
			write(asked.Src, `{"type": "read_ok", "value": %s, "in_reply_to": %s}`, value, asked.Body)
		case b.Type == "read" && string(b.Key) == "80":
			write(m.Src, `{"type": "read_ok", "value": null, "in_reply_to": %d}`, b.MsgID)
		case b.Type == "read" && string(b.Key) == "81":
			write(m.Src, `{"type": "read_ok", "in_reply_to": %d}`, b.MsgID)
		case b.Type == "read" && string(b.Key) == "82":
			write(m.Src, `{"type": "read_ok", "value": %q}`, strings.Repeat("x", 2*maxLine))
		case b.Type == "read" && string(b.Key) == "9":
			os.Exit(0)
		case b.Type == "read":
			write(m.Src, `{"type": "read_ok", "value": {"a": [1]}, "in_reply_to": %d}`, b.MsgID)
		case b.Type == "write" || b.Type == "cas":
			value := string(b.Value) + string(b.To)
			switch value {
			case "0":
				write(m.Src, `{"type": "%s_ok", "in_reply_to": %d}`, b.Type, b.MsgID)
			case "1000":
				write(m.Src, `{"type": "surprise", "in_reply_to": %d}`, b.MsgID)
			case "2000": // no answer
			default:
				write(m.Src, `{"type": "error", "code": %s, "text": "no", "in_reply_to": %d}`, value, b.MsgID)
			}
		}
	}
}

// cluster runs three bridges until the test ends.
func cluster(t *testing.T, mode string) (clients map[string]string, said *log, wait func() error) {
	program, err := os.Executable()
	require.NoError(t, err)
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		return l.Addr().String()
	}
	peers, clients, said := map[string]string{}, map[string]string{}, &log{}
	for _, name := range []string{"n1", "n2", "n3"} {
		peers[name], clients[name] = free(), free()
	}
	ctx, cancel := context.WithCancel(t.Context())
	group, ctx := errgroup.WithContext(ctx)
	for name := range peers {
		group.Go(func() error {
			return Serve(ctx, Config{Node: name, Peers: peers, Client: clients[name], Command: []string{program, "node", mode}}, said)
		})
	}
	wait = sync.OnceValue(group.Wait)
	t.Cleanup(func() { cancel(); _ = wait() })
	return clients, said, wait
}

// log is what bridges and programs say.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func request(t *testing.T, timeout time.Duration, method, url, text string) (int, string) {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	asked, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(text))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(asked)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(answer)
}

func TestBridges(t *testing.T) {
	clients, said, wait := cluster(t, "right")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	for _, addr := range clients {
		require.Eventually(t, func() bool {
			code, _ := request(t, time.Second, "GET", "http://"+addr+"/ready", "")
			return code == 200
		}, 10*time.Second, 10*time.Millisecond)
	}
	url := "http://" + clients["n1"] + "/kv/"
	code, answer := request(t, 5*time.Second, "GET", url+"8", "")
	require.Equal(t, 200, code)
	require.JSONEq(t, `{"a": [1]}`, answer, "values are any JSON")
	require.Eventually(t, func() bool { // messages may be lost before the nodes have found each other
		_, answer = request(t, time.Second, "GET", url+"3", "")
		return answer == `"\"n3\""`
	}, 10*time.Second, time.Millisecond, "a node asks another one")
	code, answer = request(t, 5*time.Second, "GET", url+"0", "")
	require.Equal(t, 200, code)
	require.Equal(t, `"there is no lin-kv here"`, answer, "services that there are none of")
	require.Contains(t, said.String(), "a word to the log")
	require.Contains(t, said.String(), "a line that is no message")

	code, _ = request(t, 5*time.Second, "GET", url+"80", "")
	require.Equal(t, 404, code, "null is no value")
	code, _ = request(t, 5*time.Second, "GET", url+"81", "")
	require.Equal(t, 502, code)

	for value, want := range map[string]int{"0": 200, "11": 503, "14": 503, "13": 504, "1001": 504, "1000": 502, "20": 503} {
		code, _ = request(t, 5*time.Second, "PUT", url+"8", value)
		require.Equal(t, want, code, value)
	}
	for value, want := range map[string]int{"0": 200, "22": 409, "20": 409, "11": 503, "21": 503} {
		code, _ = request(t, 5*time.Second, "POST", url+"8", `{"from": 1, "to": `+value+`}`)
		require.Equal(t, want, code, value)
	}
	code, _ = request(t, 50*time.Millisecond, "PUT", url+"8", "2000")
	require.Zero(t, code, "no answer is none")
	code, _ = request(t, 5*time.Second, "PUT", url+"k", "1")
	require.Equal(t, 503, code, "a key is JSON")

	code, _ = request(t, 5*time.Second, "GET", url+"9", "")
	require.NotEqual(t, 200, code)
	require.ErrorContains(t, wait(), "the program has ended: exit status 0")
}

// A program whose lines are too long to be read ends its bridge, which says why.
func TestLinesThatAreTooLong(t *testing.T) {
	clients, _, wait := cluster(t, "right")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	require.Eventually(t, func() bool {
		code, _ := request(t, time.Second, "GET", "http://"+clients["n1"]+"/ready", "")
		return code == 200
	}, 10*time.Second, 10*time.Millisecond)
	_, _ = request(t, 5*time.Second, "GET", "http://"+clients["n1"]+"/kv/82", "")
	require.ErrorContains(t, wait(), "what it writes cannot be read")
}

func TestAProgramThatRefusesInit(t *testing.T) {
	_, _, wait := cluster(t, "mute")
	require.ErrorContains(t, wait(), `the program answered init with "error": no`)
}

func TestWrongConfigs(t *testing.T) {
	for want, c := range map[string]Config{
		"no program to run":                 {Node: "n1", Peers: map[string]string{"n1": ""}},
		"n4 is not among the nodes [n1 n2]": {Node: "n4", Peers: map[string]string{"n1": "", "n2": ""}, Command: []string{"x"}},
		`"one" is no node`:                  {Node: "one", Command: []string{"x"}},
	} {
		require.ErrorContains(t, Serve(t.Context(), c, io.Discard), want)
	}
}

// A client's name says whose it is, and is no other's of any bridge.
func TestNamesOfClients(t *testing.T) {
	names := map[string]bool{}
	for _, node := range []string{"n1", "n12"} {
		b := &bridge{Config: Config{Node: node}, born: 1764300000000}
		for range 100 {
			name := b.newClient()
			owner, ok := ownerOf(name)
			require.True(t, ok)
			require.Equal(t, node, owner)
			require.False(t, names[name])
			names[name] = true
		}
	}
	for _, name := range []string{"n1", "lin-kv", "c1", "cx"} {
		_, ok := ownerOf(name)
		require.False(t, ok, name)
	}
}
