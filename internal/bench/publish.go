package main

// This file has what the protocols' benchmarks of publishing have in common.

import (
	"context"
	"fmt"
	"time"
)

// publisher sends one version of a package.
type publisher func(ctx context.Context, c *registry, version string) error

// startFilled starts a larder on a folder of this name and publishes n versions, eight at once.
func (e *env) startFilled(
	ctx context.Context, name string, n int, publish publisher, environ ...string,
) (*process, *registry, error) {
	data, err := e.folder(name)
	if err != nil {
		return nil, nil, err
	}
	p, c, err := e.startAs(ctx, data, environ...)
	if err != nil {
		return nil, nil, err
	}
	return p, c, parallel(8, func(i int) error {
		for v := i; v < n; v += 8 {
			if err := publish(ctx, c, fmt.Sprintf("%d.%d.%d", v/100, v/10%10, v%10)); err != nil {
				return err
			}
		}
		return nil
	})
}

// growth measures publishes per second into a large package, beside publishes into a small one. They take turns, so
// that other load of the machine affects both.
func growth(ctx context.Context, large, small *registry, publish publisher) (ours, yardstick float64, err error) {
	const n = 100
	var took [2]time.Duration
	for i := range n {
		for k, c := range []*registry{large, small} {
			start := time.Now()
			if err := publish(ctx, c, fmt.Sprintf("800.%d.%d", start.UnixMilli(), i)); err != nil {
				return 0, 0, err
			}
			took[k] += time.Since(start)
		}
	}
	return n / took[0].Seconds(), n / took[1].Seconds(), nil
}
