// Bench measures Larder beside its yardsticks, on one machine, in one run. It prints ratios with their quartiles, or
// with the extremes if there are fewer than eight measurements:
//
//	go run ./internal/bench                    every benchmark, three rounds
//	go run ./internal/bench -run 'pull|push'   some of them
//	go run ./internal/bench -dir /mnt/disk     on another disk
//	go run ./internal/bench -against PROGRAM   this build beside another one of larder
//
// Yardsticks that are not installed (nginx, docker-registry) are reported as missing. All servers listen on loopback
// and are ended by their process ids. It is a command: nothing here runs under go test.
package main

import (
	"cmp"
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

// benchmark is one line of the table. run measures larder and the yardstick once and returns both in the same unit;
// larger is better.
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
		{"npm-packument/bare handler", "req/s", "0.5", npmSeries.cached},
		{"npm-304/10,000 a second", "req/s", "1", npmSeries.fresh},
		{"npm-publish-5001/publish-10", "1/s", "0.5", npmSeries.growth},
		{"npm-publish-100MB/150 MiB", "1/MiB", "1", npmMemory},
		{"cargo-resolve-300-20ms/0.4 s", "1/s", "1", cargoResolve},
		{"cargo-304/bare 304 handler", "req/s", "0.8", cargoFresh},
		{"cargo-publish-1001/publish-10", "1/s", "0.5", cargoGrowth},
		{"maven-artifact-large/nginx", "MB/s", "0.9", mavenLarge},
		{"maven-metadata/bare handler", "req/s", "0.5", mavenCached},
		{"maven-snapshot-1001/snapshot-11", "1/s", "0.5", mavenGrowth},
		{"upstream-64-cold/1.3 of one", "1/s", "1", upstreamTotal},
		{"upstream-64-first-byte/200 ms", "1/s", "1", upstreamFirst},
		{"upstream-64-memory/32 MiB", "1/MiB", "1", upstreamMemory},
		{"upstream-documents-memory/150 MiB", "1/MiB", "1", documentsMemory},
		{"upstream-warm-file/hosted", "req/s", "0.9", upstreamFile},
		{"upstream-warm-document/hosted", "req/s", "0.9", upstreamDocument},
		{"composer-p2/bare handler", "req/s", "0.5", composerSeries.cached},
		{"composer-304/10,000 a second", "req/s", "1", composerSeries.fresh},
		{"composer-publish-2001/publish-10", "1/s", "0.5", composerSeries.growth},
		{"gem-push-200,000/push-10", "1/s", "0.8", gemGrowth},
		{"gem-range-200,000/range-10", "req/s", "0.8", gemRange},
		{"gem-304-200,000/10,000 a second", "req/s", "1", gemFresh},
		{"gem-start-200,000/200 ms", "1/s", "1", gemStart},
		{"gem-index-200,000/1 s", "1/s", "1", gemIndex},
		{"search-flood-200,000/alone", "req/s", "0.5", floodSearch},
		{"search-copies-200,000/50 ms", "1/s", "1", searchCopies},
		{"audit-flood-memory/400 MiB", "1/MiB", "1", floodAudit},
		{"pypi-page-20k/bare handler", "req/s", "0.5", pypiPage},
		{"pypi-upload-20001/upload-10", "1/s", "0.5", pypiGrowth},
		{"pypi-root-100k/bare handler", "req/s", "0.5", pypiRoot},
		{"pypi-root-after-upload/150 ms", "1/s", "1", pypiRootChanged},
		{"pages-load-100,000/100 ms", "1/s", "1", pagesLoad},
		{"pages-load-100,000/700", "1/ms", "0.5", pagesGrowth},
		{"pages-load-weight/60 kB", "1/kB", "1", pagesWeight},
		{"pulls-counted/not counted", "req/s", "0.98", countedPulls},
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
	rounds := flags.Int("rounds", 0, "how often each is measured (default: 3, with -against 1)")
	against := flags.String("against", "", "compare with this program, another build of larder, in what clients do most")
	dir := flags.String("dir", "", "folder for scratch data (default: a temporary one)")
	filled := flags.String("filled", "", "folder of the data of pages-load, which is filled once (default: scratch)")
	larder := flags.String("larder", "", "measure this program (default: one built from the present folder)")
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
	e, err := newEnv(ctx, *dir, *larder)
	if err != nil {
		return err
	}
	defer e.close()
	e.pages = cmp.Or(*filled, e.dir)
	if *against != "" {
		return compareBuilds(ctx, e, *against, match, max(*rounds, 1))
	}
	if *rounds == 0 {
		*rounds = 3
	}
	fmt.Printf("%-34s %12s %12s %-9s %7s  %-15s %s\n", "benchmark", "larder", "yardstick", "unit", "ratio", "spread",
		"goal")
	for _, b := range benchmarks() {
		if match.MatchString(b.name) {
			report(ctx, e, b, *rounds)
		}
	}
	return ctx.Err()
}

// report runs a benchmark and prints the pair with the median ratio, and the quartiles of the ratios. An error is
// printed in its line, and the other benchmarks go on.
func report(ctx context.Context, e *env, b benchmark, rounds int) {
	e.pairs, e.notes = nil, nil
	for range rounds {
		before := len(e.pairs)
		ours, yardstick, err := b.run(ctx, e)
		if err != nil {
			fmt.Printf("%-34s %v\n", b.name, strings.TrimSpace(err.Error()))
			return
		}
		if len(e.pairs) == before {
			e.add(ours, yardstick)
		}
	}
	low, mid, high := middle(e.pairs)
	fmt.Printf("%-34s %12.4g %12.4g %-9s %7.2f  %.2f–%-10.2f %s\n",
		b.name, mid.ours, mid.yardstick, b.unit, mid.ratio(), low.ratio(), high.ratio(), b.goal)
	for _, note := range e.notes {
		fmt.Println("   ", note)
	}
}

// middle returns the pairs with the lower quartile, the median and the upper quartile of the ratios. Of few pairs it
// returns the extremes and the median.
func middle(pairs []pair) (low, mid, high pair) {
	sorted := slices.SortedFunc(slices.Values(pairs), func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.ratio(), b.ratio()), cmp.Compare(a.ours, b.ours))
	})
	n, cut := len(sorted), 0
	if n >= 8 {
		cut = n / 4
	}
	return sorted[cut], sorted[n/2], sorted[n-1-cut]
}
