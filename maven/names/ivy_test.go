package names

// The directories of Ivy's layouts, and where Maven's end.

import (
	"strings"
	"testing"
)

func TestDirectoriesOfIvyLayouts(t *testing.T) {
	for path, want := range map[string]Ivy{
		"com.acme/lib/1.0":                         {"com.acme", "lib", "1.0", ""},
		"com.acme/lib/1.0/jars":                    {"com.acme", "lib", "1.0", "jars/"},
		"com.acme/lib/1.0/any/folder":              {"com.acme", "lib", "1.0", "any/folder/"},
		"com.acme/lib/scala_2.12/sbt_1.0/1.0/jars": {"com.acme", "lib", "1.0", "scala_2.12/sbt_1.0/jars/"},
		"com.acme/lib/1.0/scala_2.12/sbt_1.0/jars": {"com.acme", "lib", "1.0", "scala_2.12/sbt_1.0/jars/"},
		"com.acme/lib/scala_3/1.0":                 {"com.acme", "lib", "1.0", "scala_3/"},
		"acme/lib/1.0/ivys":                        {"acme", "lib", "1.0", "ivys/"},
		"com/acme/lib/1.0/srcs":                    {"com.acme", "lib", "1.0", "srcs/"},
		"com/acme/lib/scala_2.12/sbt_1.0/1.0/poms": {"com.acme", "lib", "1.0", "scala_2.12/sbt_1.0/poms/"},
		"com/acme/lib/1.0/scala_2.12/sbt_1.0/docs": {"com.acme", "lib", "1.0", "scala_2.12/sbt_1.0/docs/"},
		// Maven's, or none.
		"com/acme/lib/1.0":            {},
		"com/acme/lib/1.0/other":      {},
		"acme/lib/jars":               {},
		"a/scala_2.12/1.0/jars":       {},
		"scala_2/sbt_1/scala_3/jars":  {},
		"com.acme/lib":                {},
		"com.acme/lib/scala_2.12":     {},
		"com..acme/lib/1.0":           {},
		".acme/lib/1.0":               {},
		"com/acme./lib/1.0/jars/jars": {},
		"com/acme./lib/1.0/jars":      {},
	} {
		got, ok := SplitIvy(strings.Split(path, "/"))
		if ok != (want != Ivy{}) || ok && got != want {
			t.Errorf("%s: %+v %t, want %+v", path, got, ok, want)
		}
	}
}

// TestRevisionInTheNameOfAFile is read where there is no folder for it, and nowhere else.
func TestRevisionInTheNameOfAFile(t *testing.T) {
	for path, want := range map[string]Ivy{
		"com.acme/lib/jars/lib-1.0.jar":             {"com.acme", "lib", "1.0", "jars/"},
		"com/acme/lib/jars/lib-1.0-rc1.jar":         {"com.acme", "lib", "1.0-rc1", "jars/"},
		"acme/lib/zips/lib-1.0.tar.gz":              {"acme", "lib", "1.0", "zips/"},
		"acme/my-lib/ivys/ivy-2.1.xml":              {"acme", "my-lib", "2.1", "ivys/"},
		"acme/lib/1.0/jars/lib-1.0.jar":             {"acme", "lib", "1.0", "jars/"},
		"acme/lib/1.0/ivys/ivy-1.0.xml":             {"acme", "lib", "1.0", "ivys/"},
		"com.acme/lib/1.0/jars/1.0-2.jar":           {"com.acme", "lib", "1.0", "jars/"},
		"acme/lib/main/jars/lib-1.0.jar":            {"acme", "lib", "main", "jars/"},
		"acme/lib/jars/other-1.0.jar":               {},
		"acme/lib/jars/lib-latest.jar":              {},
		"acme/lib/jars/lib-1.jar/lib-1.jar/lib.jar": {},
		"..acme/lib/jars/lib-1.0.jar":               {},
		"acme/lib/other/lib-1.0.jar":                {},
	} {
		dirs := strings.Split(path, "/")
		last := len(dirs) - 1
		got, ok := SplitIvyFile(dirs[:last], dirs[last])
		if ok != (want != Ivy{}) || ok && got != want {
			t.Errorf("%s: %+v %t, want %+v", path, got, ok, want)
		}
	}
}

func TestFilesThatOnlyIvyHas(t *testing.T) {
	for key, want := range map[string]bool{
		"1.0/jars/lib.jar": true, "1.0/ivy.xml": true, "1.0/ivy-1.0.xml": true, "1.0/lib-1.0.jar": false,
		"1.0/ivy-1.0.jar": false, "1.0/lib-1.0-ivy.xml": false,
	} {
		if IsIvy(key) != want {
			t.Errorf("%s: %t, want %t", key, !want, want)
		}
	}
}

func TestPathOfAFileByItsNameInTheStore(t *testing.T) {
	for _, c := range []struct{ name, key, path, copied string }{
		{"com.acme:lib", "1.0/lib-1.0.jar", "com/acme/lib/1.0/lib-1.0.jar", ""},
		{"com.acme:lib", "1.0/jars/lib.jar", "com.acme/lib/1.0/jars/lib.jar", ""},
		{"acme:lib", "1.0/jars/lib.jar", "acme/lib/1.0/jars/lib.jar", ""},
		{"com.acme:lib", "1.0/scala_3/sbt_2/jars/x", "com.acme/lib/1.0/scala_3/sbt_2/jars/x", ""},
		{"com.acme:lib", "com.acme/lib/scala_3/1.0/jars/x", "com.acme/lib/scala_3/1.0/jars/x", "1.0"},
		{"com.acme:lib", "com/acme/lib/1.0/jars/x", "com/acme/lib/1.0/jars/x", "1.0"},
	} {
		if got := FilePath(c.name, c.key); got != c.path {
			t.Errorf("%s %s is at %s, want %s", c.name, c.key, got, c.path)
		}
		if version, ok := CopyVersion(c.name, c.key); ok != (c.copied != "") || ok && version != c.copied {
			t.Errorf("%s %s is a copy of version %q %t, want %q", c.name, c.key, version, ok, c.copied)
		}
	}
}
