package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/plimsoll/plimsoll/s3api/webhook"
)

// served returns the names of the metrics that a server has at /_plimsoll/metrics once it was asked for something.
func served(t *testing.T) map[string]bool {
	t.Helper()
	c := &serveCommand{Data: t.TempDir(), DiskReserve: "0", Sync: "none", Region: "us-east-1", MetricsBuckets: 10}
	c.Bucket = []bucketSpec{{name: "photos", maxBytes: new(int64(10))}}
	c.MaxBytes, c.MaxObjects = new(size(1000)), new(count(1000))
	c.AuditMaxBytes, c.AuditFiles = 1<<20, 2
	log := slog.New(slog.DiscardHandler)
	store, err := c.openStore(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	keyring, directory, err := c.openDirectory(t.Context(), store, credentials{"access", "secret-key"}, log)
	if err != nil {
		t.Fatal(err)
	}
	auditLog, err := c.auditFlags.open(c, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auditLog.Close() })
	webhooks, err := webhook.Open(t.Context(), webhook.Options{Store: store, Keyring: keyring, Region: c.Region, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	// Never sent to, as the service is not started: a webhook has series from its first day on.
	if _, _, err := webhooks.Create(t.Context(), webhook.Webhook{Name: "alerts", URL: "http://127.0.0.1:1/"}, ""); err != nil {
		t.Fatal(err)
	}
	handler := c.handler(store, keyring, directory, webhooks, auditLog, new(atomic.Bool), log)
	var body string
	for _, path := range []string{"/photos/key", "/_plimsoll/metrics"} { // an S3 request, refused, and a scrape
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		raw, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = string(raw)
	}
	names := make(map[string]bool)
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(body, -1) {
		names[match[1]] = true
		if match[2] == "histogram" {
			names[match[1]+"_bucket"], names[match[1]+"_sum"], names[match[1]+"_count"] = true, true, true
		}
	}
	if len(names) < 20 {
		t.Fatalf("%d metrics: %.1000s", len(names), body)
	}
	return names
}

// metricName finds names of metrics in an expression: of ours, and those of the process.
var metricName = regexp.MustCompile(`\b(?:plimsoll|process|go)_[a-z0-9_]+\b`)

// checkExpression finds what Prometheus would not find: a metric that does not exist, a bracket that does not close.
func checkExpression(t *testing.T, where, expression string, names map[string]bool) {
	t.Helper()
	found := metricName.FindAllString(expression, -1)
	if len(found) == 0 && !strings.HasPrefix(expression, "up{") {
		t.Errorf("%s: no metric in %q", where, expression)
	}
	for _, name := range found {
		if !names[name] {
			t.Errorf("%s: there is no metric %s", where, name)
		}
	}
	var open []rune
	closes := map[rune]rune{')': '(', ']': '[', '}': '{'}
	for _, r := range expression {
		switch r {
		case '(', '[', '{':
			open = append(open, r)
		case ')', ']', '}':
			if len(open) == 0 || open[len(open)-1] != closes[r] {
				t.Errorf("%s: %q closes what is not open in %q", where, r, expression)
				return
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 || strings.Count(expression, `"`)%2 != 0 {
		t.Errorf("%s: something is left open in %q", where, expression)
	}
}

// TestAlertRules: the rules that come with us are rules, and about metrics that there are.
func TestAlertRules(t *testing.T) {
	raw, err := os.ReadFile("../../deploy/prometheus/plimsoll.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	names, seen := served(t), map[string]bool{}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || seen[rule.Alert] || rule.Annotations["summary"] == "" ||
				(rule.Labels["severity"] != "warning" && rule.Labels["severity"] != "critical") {
				t.Errorf("%+v", rule)
			}
			seen[rule.Alert] = true
			checkExpression(t, rule.Alert, rule.Expr, names)
		}
	}
	for _, alert := range []string{
		"PlimsollDiskFull", "PlimsollLimitReached", "PlimsollAuditLogFails", "PlimsollWebhookFails", "PlimsollEventsDropped",
	} {
		if !seen[alert] {
			t.Errorf("there is no alert %s", alert)
		}
	}
}

// TestDashboard: likewise.
func TestDashboard(t *testing.T) {
	raw, err := os.ReadFile("../../deploy/grafana/plimsoll.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &dashboard); err != nil {
		t.Fatal(err)
	}
	names := served(t)
	for _, panel := range dashboard.Panels {
		if panel.Title == "" || len(panel.Targets) == 0 {
			t.Errorf("%+v", panel)
		}
		for _, target := range panel.Targets {
			checkExpression(t, panel.Title, target.Expr, names)
		}
	}
	if len(dashboard.Panels) < 5 {
		t.Errorf("%d panels", len(dashboard.Panels))
	}
}
