package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// report is a run's outcome, as it is written as JSON.
type report struct {
	Date            string           `json:"date"`
	Machine         string           `json:"machine"`
	Command         string           `json:"command"`
	Rounds          int              `json:"rounds"`
	DurationSeconds float64          `json:"duration_seconds"`
	TookSeconds     float64          `json:"took_seconds"`
	Servers         []serverReport   `json:"servers"`
	Workloads       []workloadReport `json:"workloads"`
}

type serverReport struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	PeakBytes int64  `json:"peak_bytes"`
	// Anonymous servers do not look at signatures, unsynced ones answer before the data is on disk, the ceiling stores
	// nothing.
	Anonymous bool `json:"anonymous,omitempty"`
	Unsynced  bool `json:"unsynced,omitempty"`
	Ceiling   bool `json:"ceiling,omitempty"`
}

type workloadReport struct {
	Name        string    `json:"name"`
	Title       string    `json:"title"`
	ObjectBytes int       `json:"object_bytes"`
	InBytes     bool      `json:"in_bytes,omitempty"`
	Figures     []figures `json:"figures"`
	// Ratios are of the first server's rate, which is Plimsoll's, to the best peer's, and to that of the best of those
	// that look at signatures. 0 where there is no peer.
	Ratio                 float64 `json:"ratio_to_best,omitempty"`
	Best                  string  `json:"best_peer,omitempty"`
	RatioAuthenticated    float64 `json:"ratio_to_best_authenticated,omitempty"`
	BestAuthenticatedPeer string  `json:"best_authenticated_peer,omitempty"`
}

// figures are medians over the rounds; errors are the sum.
type figures struct {
	Server      string    `json:"server"`
	Rate        float64   `json:"operations_per_second"`
	Rates       []float64 `json:"rounds_operations_per_second"`
	P50Micros   float64   `json:"p50_us"`
	P99Micros   float64   `json:"p99_us"`
	CPUMicros   float64   `json:"server_cpu_us_per_operation"`
	Errors      int64     `json:"errors"`
	FirstError  string    `json:"first_error,omitempty"`
	Redials     int       `json:"connections_closed_by_server,omitempty"`
	OthersShare float64   `json:"cpu_share_of_others"`
}

func summarize(name string, samples []sample) figures {
	f := figures{Server: name}
	var p50, p99, cpu, others []float64
	for _, m := range samples {
		f.Rates = append(f.Rates, m.rate)
		p50, p99 = append(p50, micros(m.p50)), append(p99, micros(m.p99))
		cpu, others = append(cpu, micros(m.cpu)), append(others, m.others)
		f.Errors += m.errors
		f.Redials += m.redials
		if f.FirstError == "" && m.sample != nil {
			f.FirstError = m.sample.Error()
		}
	}
	f.Rate, f.P50Micros, f.P99Micros = median(f.Rates), median(p50), median(p99)
	f.CPUMicros, f.OthersShare = median(cpu), median(others)
	return f
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// compare finds the best peers. The first server is the one that is compared.
func (w *workloadReport) compare(servers []serverReport) {
	var own, best, authenticated float64
	for i, s := range servers {
		f := w.of(s.Name)
		switch {
		case f == nil || s.Ceiling:
		case i == 0:
			own = f.Rate
		default:
			if f.Rate > best {
				best, w.Best = f.Rate, s.Name
			}
			if !s.Anonymous && f.Rate > authenticated {
				authenticated, w.BestAuthenticatedPeer = f.Rate, s.Name
			}
		}
	}
	w.Ratio, w.RatioAuthenticated = ratio(own, best), ratio(own, authenticated)
}

// ratio is 0 where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func (w *workloadReport) of(server string) *figures {
	for i := range w.Figures {
		if w.Figures[i].Server == server {
			return &w.Figures[i]
		}
	}
	return nil
}

// failed reports whether requests to the server that is compared have failed. A peer's are counted and printed: rclone
// cannot be had without.
func (r *report) failed() bool {
	for _, w := range r.Workloads {
		if f := w.of(r.Servers[0].Name); f != nil && f.Errors > 0 {
			return true
		}
	}
	return false
}

func writeJSON(file string, report any) error {
	raw, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(raw, '\n'), 0o644)
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n%s\n%s\n", r.Date, r.Machine, r.Command)
	fmt.Fprintf(w, "%d rounds of %gs, medians; took %.0fs\n\n", r.Rounds, r.DurationSeconds, r.TookSeconds)
	r.printDetails(w)
	r.printSummary(w)
	r.printErrors(w)
}

// printDetails prints everything that was measured, a line for each workload and server.
func (r *report) printDetails(w io.Writer) {
	for _, wr := range r.Workloads {
		fmt.Fprintln(w, wr.Title)
		t := tabwriter.NewWriter(w, 12, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(t, "server\trate\tp50\tp99\tserver CPU\tratio\terrors\tothers' CPU\t\n")
		for _, s := range r.Servers {
			f := wr.of(s.Name)
			if f == nil {
				continue
			}
			compared := "" // what Plimsoll's rate is to this one's
			if own := wr.of(r.Servers[0].Name); own != nil && own != f {
				compared = fmt.Sprintf("%.2f", ratio(own.Rate, f.Rate))
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%.0f %%\t\n", s.Name, wr.rate(f.Rate), short(f.P50Micros),
				short(f.P99Micros), short(f.CPUMicros), compared, f.Errors, 100*f.OthersShare)
		}
		_ = t.Flush()
		fmt.Fprintln(w)
	}
}

// printSummary prints a Markdown table, as it may stand in a README.
func (r *report) printSummary(w io.Writer) {
	row := func(first string, cell func(serverReport) string, best, authenticated string) {
		fmt.Fprintf(w, "| %s |", first)
		for _, s := range r.Servers {
			fmt.Fprintf(w, " %s |", cell(s))
		}
		fmt.Fprintf(w, " %s | %s |\n", best, authenticated)
	}
	row("operations/s (server CPU per operation)", func(s serverReport) string {
		if s.Ceiling {
			return s.Name + " handler"
		}
		return s.Name
	}, "to the best peer", "to the best with authentication")
	fmt.Fprintf(w, "|%s\n", strings.Repeat("---|", len(r.Servers)+3))
	for _, wr := range r.Workloads {
		row(wr.Title, func(s serverReport) string {
			f := wr.of(s.Name)
			if f == nil {
				return ""
			}
			cell := fmt.Sprintf("%s (%s)", wr.rate(f.Rate), short(f.CPUMicros))
			if f.Errors > 0 {
				cell += fmt.Sprintf(" %d ERRORS", f.Errors)
			}
			return cell
		}, times(wr.Ratio), times(wr.RatioAuthenticated))
	}
	row("peak memory", func(s serverReport) string { return fmt.Sprintf("%.0f MiB", float64(s.PeakBytes)/mib) }, "", "")
	fmt.Fprintln(w)
	for _, s := range r.Servers {
		note := ""
		if s.Anonymous {
			note += ", does not look at signatures"
		}
		if s.Unsynced {
			note += ", answers before the data is on disk"
		}
		fmt.Fprintf(w, "%s: %s%s\n", s.Name, s.Version, note)
	}
}

// printErrors says loudly what has failed.
func (r *report) printErrors(w io.Writer) {
	for _, wr := range r.Workloads {
		for _, f := range wr.Figures {
			if f.Errors > 0 {
				fmt.Fprintf(w, "!!! %s: %d REQUESTS TO %s FAILED, the first one: %s\n", wr.Name, f.Errors, f.Server, f.FirstError)
			}
			if f.Redials > 0 {
				fmt.Fprintf(w, "note: %s: %s closed %d connections\n", wr.Name, f.Server, f.Redials)
			}
		}
	}
}

func (w *workloadReport) rate(r float64) string {
	if w.InBytes {
		return thousands(int64(r*float64(w.ObjectBytes)/mib)) + " MiB/s"
	}
	if r < 100 {
		return fmt.Sprintf("%.1f", r)
	}
	return thousands(int64(r))
}

func times(r float64) string {
	if r == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", r)
}

// short writes a time in microseconds in its best unit.
func short(us float64) string {
	switch {
	case us < 10_000:
		return thousands(int64(us)) + " µs"
	case us < 10_000_000:
		return fmt.Sprintf("%.1f ms", us/1000)
	}
	return fmt.Sprintf("%.1f s", us/1e6)
}

// thousands writes a number with commas.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// describe is a measurement in the progress.
func describe(w workload, m sample) string {
	wr := workloadReport{ObjectBytes: w.bytes, InBytes: w.inBytes()}
	s := fmt.Sprintf("%12s  p50 %9s  p99 %9s  CPU %9s", wr.rate(m.rate), short(micros(m.p50)), short(micros(m.p99)),
		short(micros(m.cpu)))
	if m.errors > 0 {
		s += fmt.Sprintf("  %d ERRORS: %v", m.errors, m.sample)
	}
	return s
}
