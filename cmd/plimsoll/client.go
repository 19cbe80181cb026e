package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

// clientTimeout bounds one request to the server.
const clientTimeout = time.Minute

// clientFlags say which server a command talks to, and how.
type clientFlags struct {
	Endpoint string `default:"http://127.0.0.1:9000" env:"PLIMSOLL_ENDPOINT" placeholder:"URL" help:"The server (${default})."`
	keyFlags
	Region string `env:"PLIMSOLL_REGION" placeholder:"REGION" help:"Region of the server; else AWS_REGION, AWS_DEFAULT_REGION or us-east-1."`
	CAFile string `name:"ca-file" env:"PLIMSOLL_CA_FILE" placeholder:"FILE" help:"Certificates in PEM to trust beside the system's, such as a self-signed one."`
	JSON   bool   `name:"json" help:"Write JSON."`
}

// Help is shown by kong for every command that embeds the flags.
func (f *clientFlags) Help() string {
	return "Keys are those of the flags and the PLIMSOLL_ variables, else AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, " +
		"else the server's default ones."
}

// with calls do with a client, under a context that ends when the process is told to, and explains its error.
func (f *clientFlags) with(do func(context.Context, *adminclient.Client) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	client, err := f.client()
	if err != nil {
		return err
	}
	return f.explain(do(ctx, client))
}

func (f *clientFlags) client() (*adminclient.Client, error) {
	keys, err := f.clientCredentials()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if f.CAFile != "" {
		pem, err := os.ReadFile(f.CAFile)
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool() // a system without certificates
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--ca-file: %s holds no certificate in PEM", f.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	region := cmp.Or(f.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "us-east-1")
	client, err := adminclient.New(f.Endpoint, keys.accessKey, keys.secretKey, region,
		&http.Client{Transport: transport, Timeout: clientTimeout})
	if err != nil {
		return nil, fmt.Errorf("--endpoint: %w", err)
	}
	return client, nil
}

// explain says in one line what is wrong, and what could be done.
func (f *clientFlags) explain(err error) error {
	var (
		problem     *adminclient.Problem
		unreached   *url.Error
		authority   x509.UnknownAuthorityError
		errno       syscall.Errno
		unreachable = "no server is reached at " + f.Endpoint
	)
	switch {
	case errors.As(err, &problem):
		if problem.Code() == "InvalidAccessKeyId" && !f.given() && os.Getenv("AWS_SESSION_TOKEN") != "" {
			return fmt.Errorf("temporary credentials, with an AWS_SESSION_TOKEN, are for S3 and not for the admin API: %w", problem)
		}
		if problem.Status >= http.StatusInternalServerError {
			return fmt.Errorf("%w (request %s)", problem, problem.Instance)
		}
		return problem
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%s is a server for http: begin its URL with that", f.Endpoint)
	case errors.As(err, &authority):
		return fmt.Errorf("%s: its certificate is not trusted: give it with --ca-file", unreachable)
	case errors.As(err, &errno):
		return fmt.Errorf("%s: %w; is it running, and is --endpoint (PLIMSOLL_ENDPOINT) right?", unreachable, errno)
	case errors.As(err, &unreached):
		return fmt.Errorf("%s: %w", unreachable, unreached.Err)
	default:
		return err
	}
}
