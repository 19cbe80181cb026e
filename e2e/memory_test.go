package e2e

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// memoryLimit is what the server may use at most, whatever the size of what passes through it.
const memoryLimit = 100 * mib

// TestMemory sends an object through the server and back, and looks at the most memory it ever had. With PLIMSOLL_BIG=1
// the object has 5 GiB, the most that one PutObject may have.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the peak of a process's memory is read from /proc")
	}
	if raceEnabled {
		t.Skip("the race detector's own memory is several times the server's")
	}
	size := int64(256 * mib)
	if os.Getenv("PLIMSOLL_BIG") == "1" {
		size = 5 << 30
	} else {
		t.Parallel()
	}
	s := start(t, "--bucket", "memory")
	sum := s.stream(t, size)
	response, err := s.http.Do(s.build(request{method: "GET", path: "/memory/big"}))
	if err != nil {
		t.Fatal(err)
	}
	back := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err := io.Copy(back, response.Body)
	response.Body.Close()
	if err != nil || n != size || back.Sum32() != sum {
		t.Errorf("download: %d bytes of %d, %v", n, size, err)
	}

	// The same in parts, eight at a time.
	if os.Getenv("PLIMSOLL_BIG") != "1" {
		u := startUpload(t, s.sdk(), "memory", "parts")
		part := random(1, 16*mib)
		failures := make(chan error)
		for i := range 8 {
			go func() {
				_, err := s.sdk().UploadPart(context.Background(), &s3.UploadPartInput{
					Bucket: &u.bucket, Key: &u.key, UploadId: u.id, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(part),
				})
				failures <- err
			}()
		}
		for range 8 {
			if err := <-failures; err != nil {
				t.Error(err)
			}
		}
	}
	peak := s.peakMemory(t)
	t.Logf("%d MiB in and out: the server had %d MiB at most", size/mib, peak/mib)
	if peak > memoryLimit {
		t.Errorf("the server had %d MiB, want no more than %d", peak/mib, memoryLimit/mib)
	}
}

// stream uploads size bytes that are made on the way, and returns their CRC-32C.
func (s *server) stream(t *testing.T, size int64) uint32 {
	t.Helper()
	block := random(uint64(size), mib)
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	reader, writer := io.Pipe()
	go func() { // ends with the body, or with its reader
		for sent := int64(0); sent < size; {
			piece := block[:min(int64(len(block)), size-sent)]
			sum.Write(piece) // never fails
			n, err := writer.Write(piece)
			if sent += int64(n); err != nil {
				return
			}
		}
		writer.Close()
	}()
	r := s.build(request{method: "PUT", path: "/memory/big", payloadHash: sigv4.UnsignedPayload})
	r.Body, r.ContentLength = reader, size
	response, err := s.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	s.read(response).want(t, "upload", 200, "")
	return sum.Sum32()
}

// peakMemory is the most resident memory that the server has had.
func (s *server) peakMemory(t *testing.T) int64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes * kib
		}
	}
	t.Fatal("no VmHWM in /proc/PID/status")
	return 0
}
