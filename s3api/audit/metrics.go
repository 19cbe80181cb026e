package audit

import "github.com/prometheus/client_golang/prometheus"

var (
	recordsDesc = prometheus.NewDesc("plimsoll_audit_records_total",
		"Records written to the audit log since the start, by what came of it.", []string{"result"}, nil)
	omittedDesc = prometheus.NewDesc("plimsoll_audit_omitted_total",
		"Denied attempts that were too many to be recorded.", nil, nil)
	failuresDesc = prometheus.NewDesc("plimsoll_audit_failures_total",
		"Times that the audit log could not be written; a change was refused, or its record is late.", nil, nil)
)

// counts are what a Log counts.
type counts struct {
	records           map[string]int64 // by result
	omitted, failures int64
}

// Describe implements prometheus.Collector.
func (l *Log) Describe(ch chan<- *prometheus.Desc) {
	ch <- recordsDesc
	ch <- omittedDesc
	ch <- failuresDesc
}

// Collect implements prometheus.Collector.
func (l *Log) Collect(ch chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for result, n := range l.counts.records {
		ch <- prometheus.MustNewConstMetric(recordsDesc, prometheus.CounterValue, float64(n), result)
	}
	ch <- prometheus.MustNewConstMetric(omittedDesc, prometheus.CounterValue, float64(l.counts.omitted))
	ch <- prometheus.MustNewConstMetric(failuresDesc, prometheus.CounterValue, float64(l.counts.failures))
}
