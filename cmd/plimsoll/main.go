// Command plimsoll is an S3-compatible object store with exact quotas, and the tool to look after one.
//
// `plimsoll serve` runs the store, and so does `plimsoll server DIR`, which takes what MinIO's command line has. The other
// commands ask a running server over its admin API, but for `check`, which reads the data directory of one that is
// stopped, and `version`.
//
// It exits with 0 when all went well, with 1 when the command failed (or check found damage), and with 2 when the
// command line could not be understood. What was asked for goes to standard output, errors and logs to standard error.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// commands is the command line.
type commands struct {
	Serve    serveCommand     `cmd:"" help:"Run the server."`
	Quota    quotaCommands    `cmd:"" help:"Set and show limits on a running server."`
	Usage    usageCommand     `cmd:"" help:"Show what is stored, against its limits."`
	History  historyCommand   `cmd:"" help:"Show what was stored over time, how it grows, and when a limit will be reached."`
	Uploads  uploadsCommands  `cmd:"" help:"List and abort multipart uploads that were not completed."`
	Versions versionsCommands `cmd:"" help:"Remove old versions."`
	Bucket   bucketCommands   `cmd:"" help:"List, create and remove buckets."`
	User     userCommands     `cmd:"" help:"Create and look after users."`
	Key      keyCommands      `cmd:"" help:"Make, rotate and remove the access keys of users."`
	Policy   policyCommands   `cmd:"" help:"Store policies, which say what users may do."`
	Webhook  webhookCommands  `cmd:"" help:"Send events of quotas and buckets to URLs."`
	Audit    auditCommand     `cmd:"" help:"Show what administrators have changed."`
	Info     infoCommand      `cmd:"" help:"Show what a running server is."`
	Check    checkCommand     `cmd:"" help:"Verify the data directory of a stopped server."`
	Version  versionCommand   `cmd:"" help:"Show the version."`

	// MinIO is what asMinIO makes of "server DIR".
	MinIO minioCommand `cmd:"" name:"server-dir" hidden:"" help:"Run the server, as MinIO's command line says it: plimsoll server DIR."`
}

// diagnostics is where a command says what is not what it was asked for: standard error.
type diagnostics struct{ io.Writer }

const description = `Plimsoll is an S3-compatible object store with exact quotas.

Sizes are written as 10MiB, 10MB, 1.5GiB or 1048576. Exit codes: 0 success, 1 failure, 2 wrong usage.`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run runs one command line and returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	unsetEmpty()
	args = asOthers(args)
	var c commands
	parser, err := kong.New(&c,
		kong.Name("plimsoll"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(stdout, (*io.Writer)(nil)),
		kong.Bind(diagnostics{stderr}),
	)
	if err != nil {
		panic(err) // the struct above is wrong
	}
	context, err := parser.Parse(asMinIO(args))
	if err != nil {
		fmt.Fprintf(stderr, "plimsoll: %v\nTry \"plimsoll --help\".\n", err)
		return exitUsage
	}
	if err := context.Run(); err != nil {
		fmt.Fprintf(stderr, "plimsoll: %v\n", err)
		return exitFailed
	}
	return 0
}

// asOthers understands what most programs do: nothing at all and "help" ask for help, "--version" for the version.
func asOthers(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(args[1:len(args):len(args)], "--help")
	case args[0] == "--version":
		return append([]string{"version"}, args[1:]...)
	default:
		return args
	}
}

// unsetEmpty makes a PLIMSOLL_ variable that is set to nothing the same as one that is not set: that is how container
// and service files leave a setting out.
func unsetEmpty() {
	for _, pair := range os.Environ() {
		if name, ok := strings.CutSuffix(pair, "="); ok && strings.HasPrefix(name, "PLIMSOLL_") {
			_ = os.Unsetenv(name) // fails for impossible names only
		}
	}
}
