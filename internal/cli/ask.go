package cli

// This file has what commands do with the admin API: one request, or one that takes long, and then they say what came.

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"larder/internal/config"
)

// withClient loads the configuration, connects, runs work and closes the connection.
func (a *app) withClient(ctx context.Context, s settings, create bool, work func(*client, config.Config) error) error {
	cfg, err := a.load(s)
	if err != nil {
		return err
	}
	c, err := a.openAdmin(ctx, cfg, create)
	if err != nil {
		return err
	}
	return errors.Join(work(c, cfg), c.close())
}

// query is one request to the admin API.
type query struct {
	method, path string
	body         any
}

// ask connects, makes one request and gives the answer to say.
func ask[T any](a *app, cmd *cobra.Command, s settings, q query, say func(T) error) error {
	return a.withClient(cmd.Context(), s, false, func(c *client, _ config.Config) error {
		var answer T
		if err := c.do(cmd.Context(), q.method, q.path, q.body, &answer); err != nil {
			return err
		}
		return say(answer)
	})
}

// pages reads a list page by page; add takes a page and returns its next.
func pages[T any](ctx context.Context, c *client, path string, q url.Values, add func(T) (next string)) error {
	for {
		var page T
		if err := c.do(ctx, http.MethodGet, path+"?"+q.Encode(), nil, &page); err != nil {
			return err
		}
		next := add(page)
		if next == "" {
			return nil
		}
		q.Set("cursor", next)
	}
}

// askAll connects, reads a list page by page and gives all of it to say; part takes a page apart.
func askAll[T, E any](
	a *app, cmd *cobra.Command, s settings, path string, q url.Values, part func(T) ([]E, string), say func([]E) error,
) error {
	return a.withClient(cmd.Context(), s, false, func(c *client, _ config.Config) error {
		all := []E{}
		err := pages(cmd.Context(), c, path, q, func(page T) string {
			list, next := part(page)
			all = append(all, list...)
			return next
		})
		if err != nil {
			return err
		}
		return say(all)
	})
}

// change connects, makes one request that has no answer and says what was done.
func (a *app) change(cmd *cobra.Command, s settings, q query, done, what string) error {
	return a.withClient(cmd.Context(), s, false, func(c *client, _ config.Config) error {
		if err := c.do(cmd.Context(), q.method, q.path, q.body, nil); err != nil {
			return err
		}
		return a.say(done, what)
	})
}

// job is a request that takes long: path of the API, its body, and how the progress is written.
type job struct {
	path   string
	body   any
	format func(int64) string
}

// runJob connects, makes a request that takes long, showing its progress, and gives the result to say.
func runJob[T any](a *app, cmd *cobra.Command, s settings, j job, say func(T) error) error {
	return a.withClient(cmd.Context(), s, false, func(c *client, _ config.Config) error {
		show := a.newProgress(j.path, j.format)
		var result T
		err := c.stream(cmd.Context(), j.path, j.body, &result, show.update)
		show.finish()
		if err != nil {
			return err
		}
		return say(result)
	})
}

// show prints v as JSON, or else calls text, which prints it for people.
func (a *app) show(asJSON bool, v any, text func() error) error {
	if asJSON {
		return a.printJSON(v)
	}
	return text()
}
