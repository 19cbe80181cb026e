package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/s3api"
)

// asMinIO tells MinIO's "server DIR" from a command of ours: it becomes the hidden command "server-dir".
func asMinIO(args []string) []string {
	if len(args) == 0 || args[0] != "server" {
		return args
	}
	for i, arg := range args[1:] {
		// args[i] is the one before: after a flag this may be its value.
		directory := !strings.HasPrefix(arg, "-") && !strings.HasPrefix(args[i], "-")
		if directory || strings.HasPrefix(arg, "--console-address") || arg == "--help" || arg == "-h" {
			return append([]string{"server-dir"}, args[1:]...)
		}
	}
	return args
}

// minioCommand is the command line of MinIO's server: what a compose file or a unit that was written for it has.
type minioCommand struct {
	Dir            []string `arg:"" placeholder:"DIR" help:"Data directory."`
	ConsoleAddress string   `placeholder:"HOST:PORT" help:"Not used: there is no console."`
	CertsDir       string   `short:"S" placeholder:"DIR" help:"Directory with public.crt and private.key; serves https."`
	serveCommand   `embed:""`
}

// minioAddress is where MinIO listens unless told otherwise.
const minioAddress = ":9000"

// Run implements the command.
func (c *minioCommand) Run() error {
	if len(c.Dir) > 1 || slices.ContainsFunc(c.Dir, isErasureSet) {
		return fmt.Errorf("plimsoll keeps its data in one directory, and not in %s: use RAID below it, or copies of it",
			strings.Join(c.Dir, " "))
	}
	c.Data = c.Dir[0]
	c.Address = cmp.Or(c.Address, os.Getenv("MINIO_ADDRESS"), minioAddress)
	if c.CertsDir != "" && c.TLSCert == "" {
		certificate := filepath.Join(c.CertsDir, "public.crt")
		if _, err := os.Stat(certificate); err == nil { // MinIO, too, serves http where there is none
			c.TLSCert, c.TLSKey = certificate, filepath.Join(c.CertsDir, "private.key")
		}
	}
	if c.ConsoleAddress != "" {
		c.notes = append(c.notes, note{slog.LevelWarn, "--console-address is not used: there is no console on a port of its own"})
	}
	return c.serveCommand.Run()
}

// isErasureSet reports whether a directory is meant as several, or as one of another server.
func isErasureSet(dir string) bool {
	return strings.Contains(dir, "{") || strings.HasPrefix(dir, "http://") || strings.HasPrefix(dir, "https://")
}

// Help is what "serve --help" says beside the flags.
func (serveCommand) Help() string {
	return "Where neither a flag nor a PLIMSOLL_ variable gives them, keys, region, domains and buckets are taken from MinIO's " +
		"variables: MINIO_ROOT_USER, MINIO_ROOT_PASSWORD (or either with _FILE), MINIO_REGION, MINIO_DOMAIN and " +
		"MINIO_DEFAULT_BUCKETS. The log says which."
}

// note is something that the log shall say once there is one.
type note struct {
	level slog.Level
	text  string
}

// adoptMinIO gives settings that were not given the values of MinIO's variables, and notes each that it takes.
func (c *serveCommand) adoptMinIO() error {
	take := func(variable, what string) {
		c.notes = append(c.notes, note{slog.LevelInfo, what + " from " + variable + ", as MinIO has it"})
	}
	if !c.given() {
		access, accessVariable, err := minioKey("MINIO_ROOT_USER", "MINIO_ACCESS_KEY")
		if err != nil {
			return err
		}
		secret, secretVariable, err := minioKey("MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY")
		if err != nil {
			return err
		}
		switch {
		case access != "" && secret != "":
			c.AccessKey, c.SecretKey = access, secret
			take(accessVariable, "access key")
			take(secretVariable, "secret key")
		case access != "" || secret != "":
			return fmt.Errorf("%s is set without its pair: set MINIO_ROOT_USER and MINIO_ROOT_PASSWORD, or PLIMSOLL_ACCESS_KEY "+
				"and PLIMSOLL_SECRET_KEY", cmp.Or(accessVariable, secretVariable))
		}
	}
	for _, variable := range []string{"MINIO_SITE_REGION", "MINIO_REGION", "MINIO_REGION_NAME"} {
		if value := os.Getenv(variable); c.Region == "" && value != "" {
			c.Region = value
			take(variable, "region "+value)
		}
	}
	if domains := fields(os.Getenv("MINIO_DOMAIN"), ", "); len(c.Domain) == 0 && len(domains) > 0 {
		c.Domain = domains
		take("MINIO_DOMAIN", "domain "+strings.Join(domains, ", "))
	}
	if len(c.Bucket) == 0 {
		if err := c.adoptBuckets(take); err != nil {
			return err
		}
	}
	if unknown := unknownMinIO(); len(c.notes) > 0 && len(unknown) > 0 {
		c.notes = append(c.notes, note{slog.LevelWarn, "these variables of MinIO mean nothing here: " + strings.Join(unknown, ", ")})
	}
	return nil
}

// unknownMinIO returns the names of MinIO's variables that are set and that nothing here looks at.
func unknownMinIO() []string {
	known := []string{
		"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_SITE_REGION", "MINIO_REGION",
		"MINIO_REGION_NAME", "MINIO_DOMAIN", "MINIO_DEFAULT_BUCKETS", "MINIO_ADDRESS",
	}
	var unknown []string
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "MINIO_") && value != "" && !slices.Contains(known, strings.TrimSuffix(name, "_FILE")) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// adoptBuckets takes the buckets of MINIO_DEFAULT_BUCKETS, a variable of Bitnami's images: names with blanks, commas or
// semicolons between them, each perhaps with a colon and the name of an anonymous policy.
func (c *serveCommand) adoptBuckets(take func(variable, what string)) error {
	const variable = "MINIO_DEFAULT_BUCKETS"
	for _, entry := range fields(os.Getenv(variable), " ,;") {
		name, access, _ := strings.Cut(entry, ":")
		if !s3api.ValidBucketName(name) {
			return fmt.Errorf("%s: %q is not a bucket's name", variable, name)
		}
		c.Bucket = append(c.Bucket, bucketSpec{name: name})
		take(variable, "bucket "+name)
		if access != "" && access != none && access != "private" {
			c.notes = append(c.notes, note{slog.LevelWarn, fmt.Sprintf(
				"%s: bucket %s is not made accessible to all: run mc anonymous set %s, or put a bucket policy", variable, name, access)})
		}
	}
	return nil
}

// fields splits a list at any of the separators.
func fields(list, separators string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(separators, r) })
}

// minioKey returns a key of MinIO's variables, or of the file that one with _FILE names, and the variable's name.
func minioKey(variables ...string) (key, variable string, err error) {
	for _, variable := range variables {
		if key := os.Getenv(variable); key != "" {
			return key, variable, nil
		}
		variable += "_FILE"
		if file := os.Getenv(variable); file != "" {
			key, err := readSecret(file)
			if err != nil {
				return "", "", fmt.Errorf("%s: %w", variable, err)
			}
			return key, variable, nil
		}
	}
	return "", "", nil
}

// dockerSecrets is where MinIO's image looks for files that are named without a directory.
const dockerSecrets = "/run/secrets"

func readSecret(file string) (string, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(file) {
		content, err = os.ReadFile(filepath.Join(dockerSecrets, file))
	}
	if err != nil {
		return "", err
	}
	key := strings.TrimRight(string(content), "\r\n")
	if key == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return key, nil
}

// refuseMinIOData keeps a server from writing among MinIO's files: it cannot read them, and its own beside them would
// hide that.
func refuseMinIOData(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, ".minio.sys")); err != nil {
		return nil
	}
	return fmt.Errorf("the data directory %s holds data of MinIO, which plimsoll does not read: give another directory, run "+
		"both, and copy with mc mirror", dir)
}
