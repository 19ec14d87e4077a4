package cli

// This file has larder check --rebuild --publish: files without a record become hosted packages again.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"larder/internal/config"
	"larder/internal/server"
	"larder/store"
	"larder/web"
)

// republish has the files that are chosen published: by the running server, or by the same handlers in this process.
func (a *app) republish(ctx context.Context, s settings, asJSON bool, q web.RebuildRequest) error {
	cfg, err := a.load(s)
	if err != nil {
		return err
	}
	c, err := a.openWholeAdmin(ctx, cfg)
	if err != nil {
		return err
	}
	var list []web.Rebuilt
	show := a.newProgress("rebuild", countText)
	err = c.stream(ctx, "rebuild", q, &list, show.update)
	show.finish()
	if err = errors.Join(err, c.close()); err != nil {
		return err
	}
	return a.sayRebuilt(list, asJSON)
}

// openWholeAdmin is openAdmin for what needs the protocols: a closed folder is opened with all that a server has.
func (a *app) openWholeAdmin(ctx context.Context, cfg config.Config) (*client, error) {
	live, err := serverAnswers(ctx, cfg.Data)
	if err != nil {
		return nil, err
	}
	if live || !store.IsDataFolder(cfg.Data) {
		return a.openAdmin(ctx, cfg, false) // which has the sentence for what is no folder
	}
	cfg.TLSCert, cfg.TLSKey, cfg.Store.AcceptMissingBlobs = "", "", true
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	whole, err := server.New(ctx, cfg, log, a.stderr)
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("another process has the data folder %s open, and no server answers at its %s; stop that "+
			"process, or wait until it is done", cfg.Data, socketName)
	}
	if err != nil {
		return nil, err
	}
	c := &client{actor: actorName()}
	c.serve(ctx, whole.Admin(), whole.Close)
	return c, nil
}

// serve makes handler the API, through a pipe; closing c ends that and then calls end.
func (c *client) serve(ctx context.Context, handler http.Handler, end func() error) {
	pipe := newPipe()
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(pipe) }()
	c.use(pipe.dial)
	c.closers = append(c.closers, func() error {
		err := server.Shutdown(context.WithoutCancel(ctx))
		if serr := <-served; !errors.Is(serr, http.ErrServerClosed) {
			err = errors.Join(err, serr)
		}
		return errors.Join(err, end())
	})
}

// sayRebuilt prints what became of each file; what was chosen and refused is a failure.
func (a *app) sayRebuilt(list []web.Rebuilt, asJSON bool) error {
	counts := map[string]int64{}
	rows := [][]string{}
	for _, r := range list {
		counts[r.Outcome]++
		name := r.Name
		if r.Tag != "" {
			name += ":" + r.Tag
		}
		outcome := r.Outcome
		if outcome == "" {
			outcome = "not chosen"
		}
		if r.Reason != "" {
			outcome += ": " + r.Reason
		}
		rows = append(rows, []string{string(r.Kind), name, r.Version, r.File, bytesText(r.Size), string(r.Digest), outcome})
	}
	err := a.show(asJSON, list, func() error {
		if err := a.table([]string{"KIND", "NAME", "VERSION", "FILE", "SIZE", "DIGEST", "OUTCOME"}, rows); err != nil {
			return err
		}
		return a.say("%s published, %d already there, %d refused, %d not chosen",
			plural(counts[web.RebuildPublished], "file", "files"), counts[web.RebuildHere], counts[web.RebuildRefused],
			counts[""])
	})
	if err != nil {
		return err
	}
	switch refused := counts[web.RebuildRefused]; {
	case refused > 0:
		return fmt.Errorf("%s refused", plural(refused, "file was", "files were"))
	case counts[web.RebuildPublished]+counts[web.RebuildHere] == 0:
		a.complain("no file without a record is what --publish chooses")
	}
	return nil
}
