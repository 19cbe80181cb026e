package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tickLength is that of the clock in /proc: USER_HZ is 100 on every Linux that Go runs on.
const tickLength = 10 * time.Millisecond

// cpu returns the processor time that the server has used: its own, its children's, and theirs.
func (s *server) cpu() (time.Duration, error) { return cpuOf(s.command.Process.Pid) }

func cpuOf(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; what follows are the fields from the third on.
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	var ticks int64
	for _, field := range fields[11:15] { // utime, stime, and those of children that have ended
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	total := time.Duration(ticks) * tickLength
	for _, child := range childrenOf(pid) {
		used, err := cpuOf(child)
		if err == nil { // it may just have ended
			total += used
		}
	}
	return total, nil
}

func childrenOf(pid int) []int {
	var children []int
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		raw, _ := os.ReadFile(file)
		for _, field := range strings.Fields(string(raw)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// memory returns a field of the server's memory in bytes: VmRSS is what it has now, VmHWM the most it has had.
func (s *server) memory(field string) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return n * kib, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", s.name, field)
}

// resetPeak makes the most that the server has had what it has now.
func (s *server) resetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.command.Process.Pid), []byte("5"), 0)
}

// load is how the processors' time was spent up to a moment.
type load struct {
	at        time.Time
	busy, own time.Duration
}

func readLoad() load {
	l := load{at: time.Now()}
	l.own, _ = cpuOf(os.Getpid())
	for _, child := range childrenOf(os.Getpid()) {
		used, _ := cpuOf(child)
		l.own -= used // the servers are our children and are counted apart
	}
	raw, _ := os.ReadFile("/proc/stat")
	first, _, _ := strings.Cut(string(raw), "\n")
	for i, field := range strings.Fields(first) {
		// user, nice, system, (idle, iowait,) irq, softirq, steal; guests are in user already.
		if i >= 1 && i <= 8 && i != 4 && i != 5 {
			n, _ := strconv.ParseInt(field, 10, 64)
			l.busy += time.Duration(n) * tickLength
		}
	}
	return l
}

// othersSince returns the share of all processors' time since l that was neither the server's nor ours: other
// processes, the kernel's own threads, and what the host gave to other machines.
func (l load) othersSince(server time.Duration) float64 {
	now := readLoad()
	others := now.busy - l.busy - (now.own - l.own) - server
	return max(0, float64(others)/float64(now.at.Sub(l.at))/float64(runtime.NumCPU()))
}

// machine says what this was measured on.
func machine(dir string) string {
	model := "unknown processor"
	raw, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	var total int64
	raw, _ = os.ReadFile("/proc/meminfo")
	if first := strings.Fields(string(raw)); len(first) > 1 {
		total, _ = strconv.ParseInt(first[1], 10, 64)
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%s, %d cores, %.1f GiB of memory, Linux %s, %s, %s", model, runtime.NumCPU(),
		float64(total)/mib, bytes.TrimSpace(kernel), fileSystem(dir), runtime.Version())
}

// fileSystem returns the type of the file system that dir is on.
func fileSystem(dir string) string {
	dir, _ = filepath.EvalSymlinks(dir)
	raw, _ := os.ReadFile("/proc/self/mounts")
	longest, kind := -1, "unknown file system"
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < longest {
			continue
		}
		if inside, err := filepath.Rel(f[1], dir); err == nil && inside != ".." && !strings.HasPrefix(inside, "../") {
			longest, kind = len(f[1]), f[2]
		}
	}
	return kind
}

// diesWithParent has the kernel kill a server when bench is killed and cannot stop it.
func diesWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
