// Package cli is the command line: the tree of commands, how they print, and their exit codes.
//
//	cli.go       Main, errors and exit codes             serve.go      serve            log.go     the log of serve
//	root.go      the tree, what all commands share       config.go     config           help.go    help by subject
//	client.go    the admin API, of a server or folder    admin.go      user, token      userset.go user set
//	output.go    tables, JSON, progress                  maintain.go   gc, check, compact, stats, version
//	password.go  asking for a password                   backup.go     backup, restore  audit.go   audit
//	upstream.go  upstream                                claim.go      claim            scrub.go   scrub
//	rebuild.go   check --rebuild                         republish.go  check --rebuild --publish
//	setup.go     setup                                   setupwrite.go setup --write, --undo
//
// Every command that works on a data folder is a client of web's admin API. It finds a running server at
// DATA/admin.sock; if there is none, it opens the folder and serves the same API to itself.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"larder/internal/config"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// usageError is a command line that makes no sense, as opposed to one that failed.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// app is one run of the program.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) (string, bool)
}

// Main runs the command line args (without the program's name) until it is done or ctx ends, and returns the exit code:
// 0 done, 1 failed, 2 not understood (the command line or the configuration). Errors are lines "larder: sentence" on
// stderr.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, getenv: os.LookupEnv}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	return a.report(err)
}

// report prints err and chooses the exit code.
func (a *app) report(err error) int {
	var problems config.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			a.complain(p)
		}
		return exitUsage
	}
	a.complain(err.Error())
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}

// complain writes one line; whatever a server or a file put into it, it stays one.
func (a *app) complain(text string) {
	fmt.Fprintln(a.stderr, "larder: "+oneLine(text))
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.TrimSpace(s))
}
