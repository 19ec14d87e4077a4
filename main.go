// Larder is a package registry in one binary and one folder. This file turns signals into a context and the outcome
// into an exit code; internal/cli is the program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"larder/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once: the first gives the default action back.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
