package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type quotaCheckCommand struct {
	Bucket  string `arg:"" help:"Bucket."`
	Size    size   `required:"" placeholder:"SIZE" help:"How much would be stored."`
	Objects *count `placeholder:"N" help:"In how many new objects; one if left out."`
	Key     string `placeholder:"KEY" help:"Under which key: the limits of its prefixes hold too, and without --objects what is there would be replaced."`
	clientFlags
}

// Validate is called by kong.
func (c *quotaCheckCommand) Validate() error {
	if c.Objects != nil && *c.Objects < 1 {
		return errors.New("--objects is a number from 1 on")
	}
	return nil
}

// Run implements the command. It fails where it does not fit.
func (c *quotaCheckCommand) Run(stdout io.Writer) error {
	question := adminclient.QuotaQuestion{Bucket: c.Bucket, Key: c.Key, Bytes: int64(c.Size)}
	if c.Objects != nil {
		question.Objects = int64(*c.Objects)
	}
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		answer, err := client.CheckQuota(ctx, question)
		if err != nil {
			return err
		}
		if c.JSON {
			err = writeJSON(stdout, answer)
		} else {
			err = writeCheck(stdout, answer)
		}
		if err != nil || answer.Fits {
			return err
		}
		return refusal(answer)
	})
}

// writeCheck writes a line for each scope:
//
//	fits          photos    3.0 MiB left  5 objects left
//	does not fit  (server)  10 B left
func writeCheck(w io.Writer, answer adminapi.QuotaCheck) error {
	rows := make([][]cell, 0, len(answer.Scopes))
	for _, s := range answer.Scopes {
		verdict, left, objects := "fits", "no limit", ""
		switch {
		case s.Transient:
			verdict = "does not fit beside what is arriving"
		case !s.Fits:
			verdict = "does not fit"
		}
		if s.AvailableBytes != nil {
			left = quota.HumanBytes(*s.AvailableBytes) + " left"
		}
		if s.AvailableObjects != nil {
			objects = humanize.Comma(*s.AvailableObjects) + " " + noun(*s.AvailableObjects, 0) + " left"
		}
		rows = append(rows, []cell{
			{text: verdict}, accountRow(s.Account)[0], {text: left, right: true}, {text: objects, right: true},
		})
	}
	return writeTable(w, rows)
}

// refusal names the scope that does not have enough left.
func refusal(answer adminapi.QuotaCheck) error {
	for _, s := range answer.Scopes {
		switch {
		case s.Fits:
		case s.AvailableBytes != nil && answer.RequestedBytes > *s.AvailableBytes:
			return fmt.Errorf("it does not fit: %s has %s left, and %s more would be needed", accountRow(s.Account)[0].text,
				quota.HumanBytes(*s.AvailableBytes), quota.HumanBytes(answer.RequestedBytes-*s.AvailableBytes))
		default:
			return fmt.Errorf("it does not fit: %s has not enough objects left", accountRow(s.Account)[0].text)
		}
	}
	return errors.New("it does not fit")
}
