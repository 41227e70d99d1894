// Go's net/http with the bench's questions: server MODE PORT. The environment's
// BENCH_FILE and BENCH_UPSTREAM name what the questions about files and fetch
// need, BENCH_CERT and BENCH_KEY make it serve with TLS. Nothing is tuned but the client's idle connections, of which Go keeps
// two by default: 64 requests at a time would make a new connection for most.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

type headers struct {
	Host           string `json:"host"`
	UserAgent      string `json:"user-agent"`
	Accept         string `json:"accept"`
	AcceptLanguage string `json:"accept-language"`
	AcceptEncoding string `json:"accept-encoding"`
	Referer        string `json:"referer"`
	Cookie         string `json:"cookie"`
	Authorization  string `json:"authorization"`
	CacheControl   string `json:"cache-control"`
	RequestID      string `json:"x-request-id"`
	ForwardedFor   string `json:"x-forwarded-for"`
	ForwardedProto string `json:"x-forwarded-proto"`
}

func text(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
	io.WriteString(w, body)
}

// Without a content type, as bytes have none elsewhere: Go looks for one in the first 512 of them.
func plain(w http.ResponseWriter, body []byte) {
	w.Header()["Content-Type"] = nil
	w.Write(body)
}

func handler(mode string) http.HandlerFunc {
	file, upstream := os.Getenv("BENCH_FILE"), os.Getenv("BENCH_UPSTREAM")
	piece := bytes.Repeat([]byte("a"), 64<<10)
	hello := []byte("Hello, world!")
	switch mode {
	case "plaintext":
		return func(w http.ResponseWriter, r *http.Request) { text(w, "Hello, world!") }
	case "bytes":
		return func(w http.ResponseWriter, r *http.Request) { plain(w, hello) }
	case "json":
		return func(w http.ResponseWriter, r *http.Request) {
			h := r.Header
			body, _ := json.Marshal(headers{r.Host, h.Get("User-Agent"), h.Get("Accept"), h.Get("Accept-Language"),
				h.Get("Accept-Encoding"), h.Get("Referer"), h.Get("Cookie"), h.Get("Authorization"),
				h.Get("Cache-Control"), h.Get("X-Request-Id"), h.Get("X-Forwarded-For"), h.Get("X-Forwarded-Proto")})
			w.Header().Set("Content-Type", "application/json")
			w.Write(body)
		}
	case "echo":
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
			w.Write(body)
		}
	case "download":
		large := bytes.Repeat([]byte("a"), 64<<20)
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Length", fmt.Sprint(len(large)))
			io.Copy(w, bytes.NewReader(large))
		}
	case "download-stream":
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			for i := 0; i < 1024; i++ {
				w.Write(piece)
			}
		}
	case "upload":
		return func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			text(w, fmt.Sprint(n))
		}
	case "upload-whole":
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			text(w, fmt.Sprint(len(body)))
		}
	case "chunked":
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = nil
			for i := 0; i < 256; i++ {
				w.Write(piece[:64])
			}
		}
	case "events":
		event := append(append([]byte("data: "), bytes.Repeat([]byte("a"), 56)...), '\n', '\n')
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			for i := 0; i < 50; i++ {
				<-ticker.C
				w.Write(event)
				w.(http.Flusher).Flush()
			}
		}
	case "file":
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			http.ServeFile(w, r, file)
		}
	case "timers":
		return func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Millisecond)
			text(w, "Hello, world!")
		}
	case "files":
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := os.ReadFile(file)
			plain(w, body)
		}
	case "fetch":
		http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = 256
		return func(w http.ResponseWriter, r *http.Request) {
			response, err := http.Get(upstream)
			if err != nil {
				http.Error(w, err.Error(), 502)
				return
			}
			body, _ := io.ReadAll(response.Body)
			response.Body.Close()
			text(w, string(body))
		}
	case "hash":
		page := bytes.Repeat([]byte("a"), 256<<10)
		return func(w http.ResponseWriter, r *http.Request) {
			text(w, fmt.Sprintf("%x", sha256.Sum256(page)))
		}
	}
	fmt.Fprintln(os.Stderr, "error: no mode is called", mode)
	os.Exit(2)
	return nil
}

func serve() error {
	address, handler := "127.0.0.1:"+os.Args[2], handler(os.Args[1])
	if cert := os.Getenv("BENCH_CERT"); cert != "" {
		return http.ListenAndServeTLS(address, cert, os.Getenv("BENCH_KEY"), handler)
	}
	return http.ListenAndServe(address, handler)
}

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
