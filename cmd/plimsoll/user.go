package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/adminclient"
)

type userCommands struct {
	Create  userCreateCommand  `cmd:"" help:"Create a user, with policies and an access key if they are asked for."`
	List    userListCommand    `cmd:"" help:"List the users."`
	Show    userShowCommand    `cmd:"" help:"Show a user with their access keys."`
	Enable  userEnableCommand  `cmd:"" help:"Let a user's keys be used."`
	Disable userDisableCommand `cmd:"" help:"Let none of a user's keys be used, until the user is enabled."`
	Attach  userAttachCommand  `cmd:"" help:"Give a user policies."`
	Detach  userDetachCommand  `cmd:"" help:"Take policies from a user."`
	Remove  userRemoveCommand  `cmd:"" help:"Remove a user who owns no buckets, with all keys."`
}

// userArgument is a user.
type userArgument struct {
	Name string `arg:"" help:"User."`
}

type userCreateCommand struct {
	userArgument
	Policy []string `sep:"none" placeholder:"POLICY" help:"Policy to attach, such as readonly or readwrite; repeatable. See \"plimsoll policy list\"."`
	Key    bool     `help:"Make an access key as well, and show its secret."`
	clientFlags
}

// Run implements the command. A user whose key could not be made is there all the same, and is shown.
func (c *userCreateCommand) Run(stdout io.Writer, stderr diagnostics) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		user, err := client.CreateUser(ctx, c.Name, adminapi.UserSettings{Policies: c.Policy})
		if err != nil {
			return err
		}
		var key *adminapi.CreatedKey
		if c.Key {
			made, keyErr := client.CreateKey(ctx, c.Name, adminapi.NewKey{})
			if err = keyErr; err == nil {
				key = &made
			}
		}
		if c.JSON {
			return errors.Join(err, writeJSON(stdout, struct {
				adminapi.User
				Key *adminapi.CreatedKey `json:"key,omitempty"`
			}{user, key}), tellOnce(stderr, key))
		}
		err = errors.Join(err, writeUsers(stdout, user))
		if key == nil {
			return err
		}
		return errors.Join(err, writeSecret(stdout, key), tellOnce(stderr, key))
	})
}

type userListCommand struct{ clientFlags }

// Run implements the command.
func (c *userListCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		users, err := client.Users(ctx)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, adminapi.Users{Users: users})
		default:
			return writeUsers(stdout, users...)
		}
	})
}

type userShowCommand struct {
	Name string `arg:"" optional:"" help:"User; the one whose keys are given to this command if left out."`
	clientFlags
}

// Run implements the command.
func (c *userShowCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		user, keys, err := c.read(ctx, client)
		switch {
		case err != nil:
			return err
		case c.JSON:
			return writeJSON(stdout, struct {
				adminapi.User
				adminapi.Keys
			}{user, adminapi.Keys{Keys: keys}})
		}
		if err := writeUsers(stdout, user); err != nil || len(keys) == 0 {
			return err
		}
		if _, err := io.WriteString(stdout, "\n"); err != nil {
			return err
		}
		return writeKeys(stdout, keys...)
	})
}

func (c *userShowCommand) read(ctx context.Context, client *adminclient.Client) (adminapi.User, []adminapi.Key, error) {
	if c.Name == "" {
		self, err := client.Self(ctx)
		return self.User, self.Keys, err
	}
	user, err := client.User(ctx, c.Name)
	if err != nil {
		return user, nil, err
	}
	keys, err := client.Keys(ctx, c.Name)
	return user, keys, err
}

type userEnableCommand struct {
	userArgument
	clientFlags
}

// Run implements the command.
func (c *userEnableCommand) Run(stdout io.Writer) error {
	return c.changeUser(stdout, c.Name, adminapi.UserSettings{Enabled: new(true)})
}

type userDisableCommand struct {
	userArgument
	clientFlags
}

// Run implements the command.
func (c *userDisableCommand) Run(stdout io.Writer) error {
	return c.changeUser(stdout, c.Name, adminapi.UserSettings{Enabled: new(false)})
}

func (f *clientFlags) changeUser(stdout io.Writer, name string, settings adminapi.UserSettings) error {
	return f.with(func(ctx context.Context, client *adminclient.Client) error {
		user, err := client.ChangeUser(ctx, name, settings, "")
		if err != nil {
			return err
		}
		return f.writeUser(stdout, user)
	})
}

// policiesArgument are a user and policies.
type policiesArgument struct {
	userArgument
	Policies []string `arg:"" name:"policy" help:"Policy; see \"plimsoll policy list\"."`
}

type userAttachCommand struct {
	policiesArgument
	clientFlags
}

// Run implements the command.
func (c *userAttachCommand) Run(stdout io.Writer) error {
	return c.forEachPolicy(stdout, &c.policiesArgument, (*adminclient.Client).AttachPolicy)
}

type userDetachCommand struct {
	policiesArgument
	clientFlags
}

// Run implements the command.
func (c *userDetachCommand) Run(stdout io.Writer) error {
	return c.forEachPolicy(stdout, &c.policiesArgument, (*adminclient.Client).DetachPolicy)
}

// forEachPolicy does the same with each policy, up to the first that fails, and shows the user as they are then.
func (f *clientFlags) forEachPolicy(
	stdout io.Writer, a *policiesArgument,
	do func(_ *adminclient.Client, _ context.Context, name, policy string) (adminapi.User, error),
) error {
	return f.with(func(ctx context.Context, client *adminclient.Client) error {
		var user adminapi.User
		for _, policy := range a.Policies {
			var err error
			if user, err = do(client, ctx, a.Name, policy); err != nil {
				return err
			}
		}
		return f.writeUser(stdout, user)
	})
}

type userRemoveCommand struct {
	userArgument
	clientFlags
}

// Run implements the command.
func (c *userRemoveCommand) Run(stdout io.Writer) error {
	return c.with(func(ctx context.Context, client *adminclient.Client) error {
		if err := client.DeleteUser(ctx, c.Name, ""); err != nil {
			return err
		}
		return writeRemoved(stdout, c.JSON, "user", c.Name)
	})
}

func (f *clientFlags) writeUser(w io.Writer, user adminapi.User) error {
	if f.JSON {
		return writeJSON(w, user)
	}
	return writeUsers(w, user)
}

// writeUsers writes a line for each user:
//
//	alice  enabled  2026-05-01 12:00:00 +0000  readonly, uploads-only
func writeUsers(w io.Writer, users ...adminapi.User) error {
	rows := make([][]cell, 0, len(users))
	for _, u := range users {
		rows = append(rows, []cell{
			{text: u.Name},
			{text: state(u.Enabled)},
			{text: localTime(u.Created)},
			{text: cmp.Or(strings.Join(u.Policies, ", "), "no policies")},
		})
	}
	return writeTable(w, rows)
}

func state(enabled bool) string {
	if enabled {
		return "enabled"
	}
	return "disabled"
}
