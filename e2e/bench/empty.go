package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// serveEmpty is the ceiling: what net/http does by itself. It reads the body of a PUT, answers a GET with as many bytes
// as the bucket's name says, and keeps nothing.
func serveEmpty(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	zeros := make([]byte, 16*mib)
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if r.Method != http.MethodGet || key == "" {
			return
		}
		size, err := strconv.Atoi(bucket[strings.LastIndexByte(bucket, '-')+1:])
		if err != nil || size < 0 || size > len(zeros) {
			http.Error(w, "the bucket's name ends in no size", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(zeros[:size])
	}))
}

// emptySpec starts this program again, as the empty server.
func emptySpec() (spec, error) {
	self, err := os.Executable()
	return spec{
		name: "empty", binary: self, stub: true,
		args: func(p place) []string { return []string{emptyCommand, p.address} },
	}, err
}
