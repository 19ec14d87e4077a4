// Package config is the one place that knows what an operator may set.
//
// A setting is one row: its YAML key, flag, variable, help, default, unit and limits (setting.go says what a row is).
// The rows stand by subject in serving.go, protocols.go, policies.go, trust.go and upstreams.go, beside the checks
// that are about them. Every source is read through the rows, and larder serve -h, larder config and docs/settings.md
// are printed from them.
//
// A setting comes from, strongest first: a command-line flag, a LARDER_… variable, the YAML file, the default. The
// three share one name (public-url, --public-url, LARDER_PUBLIC_URL); nested keys have no flag, and their variable
// joins the levels (oci.max-manifest is LARDER_OCI_MAX_MANIFEST).
//
//	config.go   the struct and its defaults     load.go    merging the sources
//	setting.go  rows and groups of rows         flags.go   the flags of a command line
//	values.go   what rows set, by type          yaml.go    the strict reading of the file
//	units.go    sizes and durations             print.go   a configuration as YAML and JSON
//	check.go    what values must satisfy        page.go    the reference page
package config
