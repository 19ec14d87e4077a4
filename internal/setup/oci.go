package setup

// This file has the clients of images, charts and other artifacts.

import (
	"slices"
	"strings"
)

func ociClients() []Client {
	return []Client{
		{
			ID: "docker", Title: "docker", Kind: "oci", Tested: "the engine of Debian 12, and docker login and push",
			Guide: func(s Site) []Section {
				return imageGuide(s, "docker", dockerPlain(s), ownAuthority(s, "", commands(
					"sudo mkdir -p /etc/docker/certs.d/"+s.host(),
					"sudo cp "+authority+" /etc/docker/certs.d/"+s.host()+"/ca.crt")))
			},
			Install: func(s Site, p Package) []Snippet { return pullImage(s, p, "docker") },
		},
		{
			ID: "podman", Title: "podman", Kind: "oci", Tested: "podman 4 with buildah and skopeo",
			Guide: func(s Site) []Section {
				return imageGuide(s, "podman", podmanPlain(s), ownAuthority(s, "", commands(
					"mkdir -p ~/.config/containers/certs.d/"+s.host(),
					"cp "+authority+" ~/.config/containers/certs.d/"+s.host()+"/ca.crt")))
			},
			Install: func(s Site, p Package) []Snippet { return pullImage(s, p, "podman") },
		},
		{
			ID: "helm", Title: "helm", Kind: "oci", Tested: "helm 3",
			Guide: helmGuide,
			Install: func(s Site, p Package) []Snippet {
				return login(p, commands("helm registry login"+plainHTTP(s)+" "+s.host()), commands(
					"helm pull"+plainHTTP(s)+" "+word("oci://"+s.host()+"/"+p.Name)+" --version "+word(p.Version)))
			},
		},
	}
}

// image is what a client calls an image.
func image(s Site, p Package) string {
	if strings.HasPrefix(p.Version, "sha256:") || strings.HasPrefix(p.Version, "sha512:") {
		return word(s.host() + "/" + p.Name + "@" + p.Version)
	}
	return word(s.host() + "/" + p.Name + ":" + p.Version)
}

func pullImage(s Site, p Package, program string) []Snippet {
	return login(p, commands(program+" login"+noTLS(s, program)+" "+s.host()),
		commands(program+" pull"+noTLS(s, program)+" "+image(s, p)))
}

func imageGuide(s Site, program string, more ...[]Section) []Section {
	name := s.host() + "/team/app:1.0"
	return append([]Section{
		{
			Title: "Log in and push", About: "A password or a token works for the login.",
			Snippets: []Snippet{commands(program+" login"+noTLS(s, program)+" "+s.host(),
				program+" push"+noTLS(s, program)+" "+name)},
		},
		{
			Title:    "Images of an upstream",
			About:    "The name of the upstream stands before the image's; here the upstream is called hub.",
			Snippets: []Snippet{commands(program + " pull" + noTLS(s, program) + " " + s.host() + "/hub/library/alpine")},
		},
	}, slices.Concat(more...)...)
}

// dockerPlain says what docker needs for a server without TLS; loopback addresses need nothing.
func dockerPlain(s Site) []Section {
	if !s.plain() || loopback(s) {
		return nil
	}
	return []Section{{
		Title: "Without TLS", About: "docker asks for TLS unless the server is named here; restart it afterwards.",
		Snippets: []Snippet{file("/etc/docker/daemon.json", "{", `  "insecure-registries": [`+quoted(s.host())+"]", "}")},
	}}
}

func podmanPlain(s Site) []Section {
	if !s.plain() {
		return nil
	}
	return []Section{{
		Title: "Without TLS", About: "podman, buildah and skopeo need no option if the server is named here.",
		Snippets: []Snippet{file("~/.config/containers/registries.conf.d/larder.conf",
			"[[registry]]", "location = "+quoted(s.host()), "insecure = true")},
	}}
}

func helmGuide(s Site) []Section {
	return append([]Section{
		{
			Title: "Log in and push", About: "Charts are kept beside images, below any name.",
			Snippets: []Snippet{commands("helm registry login"+plainHTTP(s)+" "+s.host(),
				"helm push"+plainHTTP(s)+" demo-1.0.0.tgz oci://"+s.host()+"/charts")},
		},
		{
			Title: "Install",
			Snippets: []Snippet{commands("helm install" + plainHTTP(s) + " demo oci://" + s.host() +
				"/charts/demo --version 1.0.0")},
		},
	}, ownAuthority(s, "", commands("export SSL_CERT_FILE="+authority))...)
}

// noTLS is the option by which podman speaks to a server without TLS; docker asks its engine.
func noTLS(s Site, program string) string {
	if program == "podman" && s.plain() {
		return " --tls-verify=false"
	}
	return ""
}

func plainHTTP(s Site) string {
	if s.plain() {
		return " --plain-http"
	}
	return ""
}

// loopback reports whether clients need no TLS because the server is on their own machine.
func loopback(s Site) bool {
	host := s.host()
	return strings.HasPrefix(host, "localhost") || strings.HasPrefix(host, "127.") || strings.HasPrefix(host, "[::1]")
}
