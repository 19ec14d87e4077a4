// Bench measures Larder beside its yardsticks, on one machine, in one run, and
// prints ratios with their spread:
//
//	go run ./internal/bench                    every benchmark, three rounds
//	go run ./internal/bench -run 'pull|push'   some of them
//	go run ./internal/bench -dir /mnt/disk     on another disk
//
// Yardsticks that are not installed (nginx, docker-registry) are named as
// missing. Every server it starts listens on loopback and is ended by its
// process id. It is a command, not a test: nothing here runs under go test.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// benchmark is one line of the table: run measures ours and the yardstick once
// and returns both in the same unit, larger is better.
type benchmark struct {
	name, unit, goal string
	run              func(ctx context.Context, e *env) (ours, yardstick float64, err error)
}

func benchmarks() []benchmark {
	return []benchmark{
		{"pull-large/nginx", "MB/s", "0.9", pullLarge},
		{"push-large/slower of sha256, dd", "MB/s", "0.8", pushLarge},
		{"manifest-by-tag/bare handler", "req/s", "0.6", getManifest},
		{"blob-4KiB/bare handler", "req/s", "0.6", getSmallBlob},
		{"small-images/docker-registry", "images/s", "3 or 150 images/s", smallImages},
		{"start-100k/200 ms", "1/s", "1", startLarge},
		{"memory-2GiB/100 MiB", "1/MiB", "1", memory},
		{"npm-first-render/150 ms", "1/s", "1", npmRender},
		{"npm-packument/bare handler", "req/s", "0.5", npmCached},
		{"npm-304/10,000 a second", "req/s", "1", npmFresh},
		{"npm-publish-5001/publish-10", "1/s", "0.5", npmGrowth},
		{"npm-publish-100MB/150 MiB", "1/MiB", "1", npmMemory},
		{"gem-push-200,000/push-10", "1/s", "0.8", gemGrowth},
		{"gem-range-200,000/range-10", "req/s", "0.8", gemRange},
		{"gem-304-200,000/10,000 a second", "req/s", "1", gemFresh},
		{"gem-start-200,000/200 ms", "1/s", "1", gemStart},
		{"gem-index-200,000/1 s", "1/s", "1", gemIndex},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	pattern := flags.String("run", "", "regular expression: which benchmarks")
	rounds := flags.Int("rounds", 3, "how often each is measured")
	dir := flags.String("dir", "", "folder for scratch data (default: a temporary one)")
	bare := flags.String("bare", "", "internal: serve this file as a bare handler")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *bare != "" {
		return serveBare(*bare)
	}
	match, err := regexp.Compile(*pattern)
	if err != nil {
		return err
	}
	e, err := newEnv(ctx, *dir)
	if err != nil {
		return err
	}
	defer e.close()
	fmt.Printf("%-34s %12s %12s %-9s %7s  %-15s %s\n", "benchmark", "larder", "yardstick", "unit", "ratio", "spread", "goal")
	for _, b := range benchmarks() {
		if match.MatchString(b.name) {
			report(ctx, e, b, *rounds)
		}
	}
	return ctx.Err()
}

// report runs a benchmark and prints the median round with the spread of the
// ratios; a failure is printed in its line and the rest goes on.
func report(ctx context.Context, e *env, b benchmark, rounds int) {
	type round struct{ ours, yardstick, ratio float64 }
	var all []round
	for range rounds {
		ours, yardstick, err := b.run(ctx, e)
		if err != nil {
			fmt.Printf("%-34s %v\n", b.name, strings.TrimSpace(err.Error()))
			return
		}
		ratio := 0.0
		if yardstick > 0 {
			ratio = ours / yardstick
		}
		all = append(all, round{ours, yardstick, ratio})
	}
	slices.SortFunc(all, func(a, b round) int {
		switch {
		case a.ratio < b.ratio || a.ratio == b.ratio && a.ours < b.ours:
			return -1
		case a.ratio > b.ratio || a.ours > b.ours:
			return 1
		}
		return 0
	})
	mid := all[len(all)/2]
	fmt.Printf("%-34s %12.4g %12.4g %-9s %7.2f  %.2f–%-10.2f %s\n",
		b.name, mid.ours, mid.yardstick, b.unit, mid.ratio, all[0].ratio, all[len(all)-1].ratio, b.goal)
}
