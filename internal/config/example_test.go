package config_test

// This file shows how a configuration is loaded.

import (
	"fmt"

	"github.com/spf13/pflag"

	"larder/internal/config"
)

// A flag wins over a variable, and a variable over the file.
func ExampleLoad() {
	fs := pflag.NewFlagSet("larder", pflag.ContinueOnError)
	flags := config.AddFlags(fs)
	if err := fs.Parse([]string{"--grace", "2h"}); err != nil {
		panic(err)
	}
	variables := map[string]string{"LARDER_GRACE": "3h", "LARDER_NPM_ACCESS": "restricted"}
	c, err := config.Load(config.Sources{Flags: flags, Getenv: func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}})
	fmt.Println(c.Store.Grace, c.NPM.Access, c.Data, err)
	// Output: 2h0m0s restricted ./data <nil>
}

// Everything that is wrong is said at once, each in a sentence.
func ExampleLoad_problems() {
	variables := map[string]string{"LARDER_ANONYMOUS": "all", "LARDER_OCI_MAX_MANIFEST": "1GB"}
	_, err := config.Load(config.Sources{Getenv: func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	}})
	for _, problem := range err.(config.Problems) {
		fmt.Println(problem)
	}
	// Output:
	// anonymous is "all"; it must be read or none
	// oci.max-manifest is 1GB; it must lie between 64KiB and 64MiB
}

func ExampleParseSize() {
	for _, text := range []string{"4096", "512MiB", "10GB", "ten"} {
		fmt.Println(config.ParseSize(text))
	}
	// Output:
	// 4KiB <nil>
	// 512MiB <nil>
	// 10GB <nil>
	// 0 "ten" is not a size; write bytes as 4096, 512MiB or 10GB
}
