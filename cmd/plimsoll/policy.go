package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type policyCommands struct {
	List   policyListCommand   `cmd:"" help:"List the policies, and to whom they are attached."`
	Get    policyGetCommand    `cmd:"" help:"Show the document of a policy."`
	Put    policyPutCommand    `cmd:"" help:"Store a policy, or replace it for all users that have it."`
	Remove policyRemoveCommand `cmd:"" help:"Remove a policy that is attached to nobody."`
}

// policyArgument is a policy.
type policyArgument struct {
	Name string `arg:"" help:"Policy."`
}

type policyListCommand struct{ clientFlags }

// Run implements the command.
func (c *policyListCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		policies, err := client.Policies(ctx)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, adminapi.Policies{Policies: policies})
		}
		rows := make([][]cell, 0, len(policies))
		for _, p := range policies {
			rows = append(rows, []cell{
				{text: p.Name}, {text: cmp.Or(localTime(p.Updated), "canned")}, {text: strings.Join(p.AttachedTo, ", ")},
			})
		}
		return writeTable(stdout, rows)
	})
}

type policyGetCommand struct {
	policyArgument
	clientFlags
}

// Run implements the command. The document is JSON, with --json and without.
func (c *policyGetCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		document, _, err := client.Policy(ctx, c.Name)
		if err != nil {
			return err
		}
		return writeJSON(stdout, document)
	})
}

type policyPutCommand struct {
	policyArgument
	File string `arg:"" help:"File with the document in IAM's language; - for standard input."`
	clientFlags
}

// Run implements the command.
func (c *policyPutCommand) Run(stdout io.Writer) error {
	document, err := readDocument(c.File)
	if err != nil {
		return err
	}
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		policy, err := client.PutPolicy(ctx, c.Name, document, "")
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, policy)
		default:
			_, err = fmt.Fprintln(stdout, "Stored policy "+policy.Name+".")
			return err
		}
	})
}

// readDocument reads a file, or standard input. More than the server takes is not read.
func readDocument(path string) ([]byte, error) {
	file := os.Stdin
	if path != "-" {
		var err error
		if file, err = os.Open(path); err != nil {
			return nil, err
		}
		defer file.Close() //nolint:errcheck // it was only read
	}
	return io.ReadAll(io.LimitReader(file, adminapi.MaxBodyBytes+1))
}

type policyRemoveCommand struct {
	policyArgument
	clientFlags
}

// Run implements the command.
func (c *policyRemoveCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		if err := client.DeletePolicy(ctx, c.Name, ""); err != nil {
			return err
		}
		return writeRemoved(stdout, c.JSON, "policy", c.Name)
	})
}
