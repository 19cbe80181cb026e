package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"plimsoll": main})
}

// TestScripts runs the real command line. Servers listen on a free port; those that a script leaves running are
// interrupted at its end, and must stop with status 0.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PLIMSOLL_DATA", filepath.Join(e.WorkDir, "data"))
			e.Setenv("PLIMSOLL_ADDRESS", "127.0.0.1:0")
			e.Setenv("SCHEME", "http://")
			e.Setenv("PLIMSOLL_ADDRESS_FILE", filepath.Join(e.WorkDir, "address"))
			e.Setenv("PLIMSOLL_DISK_RESERVE", "0") // the disk of a test machine may be nearly full
			// Built with the race detector, a process would wait for a second before it exits.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"certify":   certify,
			"ready":     ready,
			"terminate": terminate,
			"put":       put,
			"get":       get,
			"s3":        s3,
			"upload":    upload,
			"watched":   watched,
			"become":    become,
			"damage":    damage,
			"misstate":  misstate,
		},
	})
}

// ready waits until the server that was started last serves, and points PLIMSOLL_ENDPOINT to it.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	path := filepath.Join(ts.Getenv("WORK"), "address")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		content, err := os.ReadFile(path)
		if err == nil {
			ts.Setenv("PLIMSOLL_ENDPOINT", ts.Getenv("SCHEME")+strings.TrimSpace(string(content)))
			return
		}
		if !errors.Is(err, fs.ErrNotExist) {
			ts.Check(err)
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no server has written its address")
		}
	}
}

// terminate sends SIGTERM to the server that was started last.
func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	background := ts.BackgroundCmds()
	ts.Check(background[len(background)-1].Process.Signal(syscall.SIGTERM))
}

// put BUCKET/KEY SIZE stores an object; its status and the answer are its output. With !, the status is not 200.
func put(ts *testscript.TestScript, neg bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	send(ts, neg, http.MethodPut, "/"+args[0], make([]byte, size))
}

// get PATH fetches a path; its status and the answer are its output. With !, the status is not 200.
func get(ts *testscript.TestScript, neg bool, args []string) {
	send(ts, neg, http.MethodGet, args[0], nil)
}

// s3 METHOD PATH [FILE] sends a signed request with a file as its body. With !, the status is not 200.
func s3(ts *testscript.TestScript, neg bool, args []string) {
	var body []byte
	if len(args) > 2 {
		body = []byte(ts.ReadFile(args[2]))
	}
	send(ts, neg, args[0], args[1], body)
}

// upload BUCKET/KEY SIZE begins a multipart upload with one part.
func upload(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	path := "/" + args[0]
	var begun struct {
		UploadID string `xml:"UploadId"`
	}
	status, content := exchange(ts, http.MethodPost, path+"?uploads=", nil)
	ts.Check(xml.Unmarshal(content, &begun))
	if status == http.StatusOK {
		status, content = exchange(ts, http.MethodPut, path+"?partNumber=1&uploadId="+begun.UploadID, make([]byte, size))
	}
	if status != http.StatusOK {
		ts.Fatalf("upload %s: %d %s", args[0], status, content)
	}
}

// watched TEXT N COMMAND... runs plimsoll until it has written a text in so many lines, interrupts it, and requires that it
// ends well.
func watched(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	command := exec.Command("plimsoll", args[2:]...)
	command.Env = append(os.Environ(), "PLIMSOLL_ENDPOINT="+ts.Getenv("PLIMSOLL_ENDPOINT"))
	out, err := command.StdoutPipe()
	ts.Check(err)
	ts.Check(command.Start())
	stuck := time.AfterFunc(20*time.Second, func() { _ = command.Process.Kill() })
	defer stuck.Stop()
	lines := bufio.NewScanner(out)
	for n > 0 && lines.Scan() {
		if strings.Contains(lines.Text(), args[0]) {
			n--
		}
	}
	ts.Check(command.Process.Signal(os.Interrupt))
	_, err = io.Copy(io.Discard, out)
	ts.Check(err)
	ts.Check(command.Wait())
}

// become FILE makes the keys in a JSON document those of what follows; without a file they are root's again.
func become(ts *testscript.TestScript, _ bool, args []string) {
	var key struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	}
	if len(args) > 0 {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &key))
		if key.AccessKey == "" || key.SecretKey == "" {
			ts.Fatalf("%s has no keys", args[0])
		}
	}
	ts.Setenv("PLIMSOLL_ACCESS_KEY", key.AccessKey)
	ts.Setenv("PLIMSOLL_SECRET_KEY", key.SecretKey)
}

func send(ts *testscript.TestScript, neg bool, method, path string, body []byte) {
	status, content := exchange(ts, method, path, body)
	fmt.Fprintf(ts.Stdout(), "%d %s\n", status, content)
	if (status == http.StatusOK) == neg {
		ts.Fatalf("%s %s: %d %s", method, path, status, content)
	}
}

// exchange sends a request, signed unless it is a GET.
func exchange(ts *testscript.TestScript, method, path string, body []byte) (status int, content []byte) {
	request, err := http.NewRequest(method, ts.Getenv("PLIMSOLL_ENDPOINT")+path, bytes.NewReader(body))
	ts.Check(err)
	if method != http.MethodGet {
		sum := sha256.Sum256(body)
		access := cmp.Or(ts.Getenv("PLIMSOLL_ACCESS_KEY"), defaultAccessKey)
		secret := cmp.Or(ts.Getenv("PLIMSOLL_SECRET_KEY"), defaultSecretKey)
		sigv4.Sign(request, access, secret, "us-east-1", hex.EncodeToString(sum[:]), time.Now())
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	ts.Check(err)
	defer response.Body.Close()
	content, err = io.ReadAll(response.Body)
	ts.Check(err)
	return response.StatusCode, content
}

// damage removes the first blob file of the store.
func damage(ts *testscript.TestScript, _ bool, _ []string) {
	found := errors.New("found")
	err := filepath.WalkDir(filepath.Join(ts.Getenv("PLIMSOLL_DATA"), "blobs"), func(
		path string, entry fs.DirEntry, err error,
	) error {
		if info, infoErr := entry.Info(); err == nil && infoErr == nil && info.Mode().IsRegular() && info.Size() > 512 {
			return errors.Join(os.Remove(path), found)
		}
		return err
	})
	if !errors.Is(err, found) {
		ts.Fatalf("there is no blob to remove: %v", err)
	}
}

// misstate makes the usage of a bucket, which has no limit, unreadable.
func misstate(ts *testscript.TestScript, _ bool, args []string) {
	path := filepath.Join(ts.Getenv("PLIMSOLL_DATA"), "meta.db")
	content, err := os.ReadFile(path)
	ts.Check(err)
	row := []byte("b" + args[0] + "\x01") // its key, and the version of its value
	if !bytes.Contains(content, row) {
		ts.Fatalf("there is no usage of %s", args[0])
	}
	ts.Check(os.WriteFile(path, bytes.ReplaceAll(content, row, append(row[:len(row)-1:len(row)-1], 9)), 0o600))
}

// certify makes a self-signed certificate for 127.0.0.1, cert.pem, and its key, key.pem.
func certify(ts *testscript.TestScript, _ bool, _ []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: certificate},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: private},
	} {
		ts.Check(os.WriteFile(ts.MkAbs(name), pem.EncodeToMemory(block), 0o600))
	}
}
