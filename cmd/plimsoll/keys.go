package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
)

// The credentials of a server that was given none. Everybody knows them, so it listens on loopback only.
const (
	defaultAccessKey = "plimsolladmin"
	defaultSecretKey = "plimsolladmin"
)

// keyFlags are the flags that give credentials.
type keyFlags struct {
	AccessKey     string `env:"PLIMSOLL_ACCESS_KEY" placeholder:"KEY" help:"Access key."`
	SecretKey     string `env:"PLIMSOLL_SECRET_KEY" placeholder:"KEY" help:"Secret key; others see the command line, so prefer the variable or the file."`
	AccessKeyFile string `env:"PLIMSOLL_ACCESS_KEY_FILE" placeholder:"FILE" help:"File with the access key."`
	SecretKeyFile string `env:"PLIMSOLL_SECRET_KEY_FILE" placeholder:"FILE" help:"File with the secret key."`
}

// credentials is a pair of keys.
type credentials struct{ accessKey, secretKey string }

func (c credentials) isDefault() bool {
	return c == credentials{defaultAccessKey, defaultSecretKey}
}

// given reports whether the flags give a key, or a file of one.
func (k keyFlags) given() bool { return k != keyFlags{} }

// read returns the keys that the flags give; false where they give none.
func (k keyFlags) read() (credentials, bool, error) {
	access, err := keyOrFile("access-key", k.AccessKey, k.AccessKeyFile)
	if err != nil {
		return credentials{}, false, err
	}
	secret, err := keyOrFile("secret-key", k.SecretKey, k.SecretKeyFile)
	if err != nil {
		return credentials{}, false, err
	}
	switch {
	case access == "" && secret == "":
		return credentials{}, false, nil
	case secret == "":
		return credentials{}, false, errors.New("there is an access key but no secret key: set --secret-key, " +
			"PLIMSOLL_SECRET_KEY or PLIMSOLL_SECRET_KEY_FILE as well")
	case access == "":
		return credentials{}, false, errors.New("there is a secret key but no access key: set --access-key, " +
			"PLIMSOLL_ACCESS_KEY or PLIMSOLL_ACCESS_KEY_FILE as well")
	}
	return credentials{access, secret}, true, nil
}

// keyOrFile returns a key that is given as it is or in a file, empty where neither is given.
func keyOrFile(name, key, file string) (string, error) {
	variable := "PLIMSOLL_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if key != "" && file != "" {
		return "", fmt.Errorf("--%s (%s) and --%s-file (%s_FILE) are both given: give one", name, variable, name, variable)
	}
	if file == "" {
		return key, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--%s-file: %w", name, err)
	}
	key = strings.TrimRight(string(content), "\r\n")
	if key == "" {
		return "", fmt.Errorf("--%s-file: %s is empty", name, file)
	}
	return key, nil
}

// check refuses keys that no S3 client could use: they stand in a header, and the access key between slashes, commas
// and equals signs.
func (c credentials) check() error {
	unusable := func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }
	if strings.ContainsFunc(c.accessKey, unusable) || strings.ContainsAny(c.accessKey, " /,=") {
		return errors.New("the access key has a character that an S3 client cannot send: " +
			"use ASCII without spaces, slashes, commas and equals signs")
	}
	if strings.ContainsFunc(c.secretKey, unicode.IsControl) {
		return errors.New("the secret key has a line break or another control character")
	}
	return nil
}

// clientCredentials returns the keys for talking to a server: those of the flags and the PLIMSOLL_ variables, else
// those of the AWS_ variables, else the default pair.
func (k keyFlags) clientCredentials() (credentials, error) {
	if c, ok, err := k.read(); ok || err != nil {
		return c, err
	}
	c := credentials{os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")}
	switch {
	case c.accessKey == "" && c.secretKey == "":
		return credentials{defaultAccessKey, defaultSecretKey}, nil
	case c.accessKey == "" || c.secretKey == "":
		return credentials{}, errors.New("of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set: set both")
	}
	return c, nil
}
