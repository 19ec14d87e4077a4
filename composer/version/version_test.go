package version

// Normal forms, constraints and order, compared with the library in PHP.

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// normals are versions and their normal forms, by the documented rules: numbers are filled up to four, a stability has
// one spelling, dates keep their numbers, branches their names.
var normals = map[string]string{
	"1": "1.0.0.0", "1.2": "1.2.0.0", "1.2.3": "1.2.3.0", "1.2.3.4": "1.2.3.4", "v1.2.3": "1.2.3.0", "V1.2": "1.2.0.0",
	" 1.2 ": "1.2.0.0",
	"0.0.0": "0.0.0.0", "00.01.03.04": "00.01.03.04", "12345": "12345.0.0.0", "1.": "1.0.0.0", "1.2.3.": "1.2.3.0",
	"1.2-": "1.2.0.0", "1.2_": "1.2.0.0",
	"1.0.0-alpha": "1.0.0.0-alpha", "1.0.0-a1": "1.0.0.0-alpha1", "1.0.0alpha3": "1.0.0.0-alpha3",
	"1.0.0.alpha.3": "1.0.0.0-alpha3", "1.0.0_alpha_3": "",
	"1.0.0-beta.2": "1.0.0.0-beta2", "1.0.0-B2": "1.0.0.0-beta2", "1.0.0-beta-2": "1.0.0.0-beta2",
	"1.0.0-beta2.1": "1.0.0.0-beta2.1", "1.0b1": "1.0.0.0-beta1",
	"1.0.0-rc1": "1.0.0.0-RC1", "1.0.0RC1": "1.0.0.0-RC1", "1.0-RC.15": "1.0.0.0-RC15", "1.0.0-rC-1": "1.0.0.0-RC1",
	"1.0.0.RC.15-dev": "1.0.0.0-RC15-dev",
	"1.0.0-patch1":    "1.0.0.0-patch1", "1.0.0-pl3": "1.0.0.0-patch3", "1.0.0p2": "1.0.0.0-patch2",
	"1.0.0-stable": "1.0.0.0", "1.0.0-STABLE": "1.0.0.0-stable", "1.0.0-stable3": "1.0.0.0",
	"1.0.0-dev": "1.0.0.0-dev", "1.0.0.DEV": "1.0.0.0-dev", "1.2.3-beta-dev": "1.2.3.0-beta-dev",
	"1.0.0-rc1-dev": "1.0.0.0-RC1-dev", "10.4.13-b5-DEV": "10.4.13.0-beta5-dev",
	"1.0+build": "1.0.0.0", "1.0.0+b.1-2": "1.0.0.0", "1.0.0-beta.5+sha.1": "1.0.0.0-beta5",
	"1.0.0-alpha11+cs-1.1": "1.0.0.0-alpha11", "1.0.0+": "", "1.0.0+a+b": "1.0.0.0",
	"1.0.0@dev": "1.0.0.0", "1.0.0@RC": "1.0.0.0", "1.0@stable": "1.0.0.0", "1.0@beta@dev": "", "dev-main@dev": "dev-main",
	"1.0.0 as 2.0": "1.0.0.0", "dev-main as 1.0.x-dev": "dev-main",
	"2010.01": "2010.01.0.0", "2010.01.02": "2010.01.02.0", "2010.1.555": "2010.1.555.0", "2010.10.200": "2010.10.200.0",
	"20100102": "20100102", "2010-01-02": "2010.01.02",
	"2010-01-02.5": "2010.01.02.5", "2010-01-02-10-20-30.5": "2010.01.02.10.20.30.5", "20100102-203040": "20100102.203040",
	"20100102203040-10": "20100102203040.10", "20100102-203040-p1": "20100102.203040-patch1",
	"v20100102": "20100102", "201903.0": "201903.0", "201903.0-p2": "201903.0-patch2", "2012.06.07": "2012.06.07.0",
	"20230131.0.0": "20230131.0.0", "202301310000.0.0": "202301310000.0.0", "v20100102.1.0-RC2": "20100102.1.0-RC2",
	"20100102.1.0.0": "",
	"1.x-dev":        "1.9999999.9999999.9999999-dev", "1.2.x-dev": "1.2.9999999.9999999-dev",
	"1.2.3.x-dev": "1.2.3.9999999-dev",
	"v1.X-dev":    "1.9999999.9999999.9999999-dev", "1.*-dev": "1.9999999.9999999.9999999-dev",
	"1.x.dev": "1.9999999.9999999.9999999-dev", "1.xdev": "1.9999999.9999999.9999999-dev",
	"20100102.x-dev": "20100102.9999999.9999999.9999999-dev", "999999-dev": "999999-dev",
	"9999999.1.x-dev": "9999999.1.9999999.9999999-dev", "x-dev": "",
	"dev-main": "dev-main", "dev-Feature/X": "dev-Feature/X", "DEV-Foo": "dev-Foo", "dev-041.x": "dev-041.x",
	"dev-1.0.0-dev<1.0.5-dev": "dev-1.0.0-dev<1.0.5-dev", "dev-": "dev-",
	"master": "dev-master", "trunk": "dev-trunk", "default": "dev-default", "Master": "", "main": "", "dev": "",
	"foo-dev": "", "feature/x-dev": "",
	"": "", "a": "", "1.0.0-foo": "", "1.0.0-meh": "", "1.0.0-dev.3": "", "1.0.0-SNAPSHOT": "", "1.2.3.4.5": "",
	"100000.0.0": "100000.0.0", "123456": "123456", "100000.0": "100000.0", "20100102.1.2": "20100102.1.2", "1.0 beta": "",
	"1.0.0-": "1.0.0.0", "-1.0": "", "1..0": "",
	"1.0.0.0.0-dev": "", "^1": "", ">=1.0": "", "1.x": "", "1.*": "", "1.0.0<1.0.5-dev": "",
	"00.01.03.x-dev": "00.01.03.9999999-dev", "1.0.0-0": "", "1.0.0-20260101": "",
}

func TestNormalize(t *testing.T) {
	for version, want := range normals {
		if got, ok := Normalize(version); got != want || ok != (want != "") {
			t.Errorf("%q: %q %t, want %q", version, got, ok, want)
		}
	}
}

// TestParse: what a publisher may call a version; the rest could not be required, or not be stored anywhere.
func TestParse(t *testing.T) {
	for _, version := range []string{
		"1.0", "v1.2.3-beta2", "1.x-dev", "dev-main", "dev-feature/x", "dev-user@work", "2010:01:02", "1.0.0+b", "1.*-dev",
		"dev-1.0", "dev-fix_1=2+3",
	} {
		if _, ok := Parse(version); !ok {
			t.Errorf("%q is refused", version)
		}
	}
	for _, version := range []string{
		"", "dev-", "dev-/x", "dev-x/", "dev-a//b", "dev-a/../b", "dev-..", "dev-.x", "dev-a..b", "dev-a.lock", "dev-a b",
		"dev-a#b", "dev-a,b", "dev-a|b", "dev-a%2fb", "dev-a\\b", "dev-a?b", "dev-é", "dev-a\x1b[31m", "dev-a\nb", " 1.0",
		"1.0 ", "1.0 as 2.0", "dev-*", "dev-a:b", "dev--x", "1.0\u017f", "dev-" + strings.Repeat("a", maxVersion),
	} {
		if n, ok := Parse(version); ok {
			t.Errorf("%q is taken for %q", version, n)
		}
	}
}

func TestStability(t *testing.T) {
	for version, want := range map[string][2]bool{ // stable, dev
		"1.0.0.0": {true, false}, "1.0.0.0-patch1": {true, false}, "1.0.0.0-stable": {true, false}, "20100102": {true, false},
		"1.0.0.0-beta2": {}, "1.0.0.0-RC1": {}, "1.0.0.0-alpha": {},
		"1.0.0.0-dev": {false, true}, "1.0.0.0-beta1-dev": {false, true}, "dev-main": {false, true},
		"dev-1.0.0": {false, true}, "1.9999999.9999999.9999999-dev": {false, true},
	} {
		if IsStable(version) != want[0] || IsDev(version) != want[1] {
			t.Errorf("%s: stable %t, dev %t", version, IsStable(version), IsDev(version))
		}
	}
}

// ordered is the order of documents: releases from the highest down, then branches.
var ordered = []string{
	"20100102", "2010.01.02.0", "10.0.0.0", "9.10.0.0", "9.9.0.0", "2.0.0.0-patch2", "2.0.0.0-patch1", "2.0.0.0",
	"2.0.0.0-RC10", "2.0.0.0-RC2", "2.0.0.0-RC1", "2.0.0.0-beta2.1", "2.0.0.0-beta2", "2.0.0.0-beta",
	"2.0.0.0-alpha3", "2.0.0.0-alpha", "1.99999.0.0", "1.0.0.1", "1.0.0.0", "0.1.0.0",
	"dev-main", "dev-master", "dev-trunk", "dev-default", "10.9999999.9999999.9999999-dev",
	"2.9999999.9999999.9999999-dev", "2.1.9999999.9999999-dev", "2.0.0.0-dev", "dev-a", "dev-b/c",
}

func TestOrder(t *testing.T) {
	for i, a := range ordered {
		for j, b := range ordered {
			got := PlaceOf(a).Compare(PlaceOf(b))
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s beside %s: %d", a, b, got)
			}
		}
	}
	best := slices.Clone(ordered)
	slices.SortStableFunc(best, func(a, b string) int {
		if Before(a, b) {
			return -1
		}
		return 1
	})
	if best[0] != "20100102" {
		t.Errorf("the best is %s, want 20100102", best[0])
	}
	if slices.Index(best, "0.1.0.0") > slices.Index(best, "2.0.0.0-RC10") {
		t.Errorf("a pre-release stands before a release: %q", best)
	}
	if last := best[len(best)-1]; last != "dev-b/c" {
		t.Errorf("the last is %s, want dev-b/c", last)
	}
}

func TestConstraints(t *testing.T) {
	for _, c := range []string{
		"*", "1.0", "1.0.*", "1.*", "v1.x", "x", ">=1.0", ">= 1.0", "<2.0.0-beta1", "!=1.2.3", "<>1.0", "==1.0", "=1.0",
		"^1.2", "^0.3.1", "^1.0@dev", "~1.2", "~1.2.3-beta2", "~1", "1.0 - 2.0", "1.0 - 2.0.0-dev",
		">=1.0,<2.0", ">=1.0 <2.0", ">=1.0, <2.0", "1.0|2.0", "1.0||2.0", "^1.0 || ^2.0", ">=1.0 <1.1 || >=1.2", "dev-main",
		"dev-feature/x", "dev-main#abc123", "1.0.x-dev", "1.0.x-dev#abc", "dev-main as 1.0.0", "@dev", "*@beta",
		"2.0@RC", "foo-dev", "master", "20100102", "^20100102", "~999999.1",
	} {
		if !IsConstraint(c) {
			t.Errorf("%q is refused", c)
		}
	}
	for _, c := range []string{
		"", "foo", "~>1.0", "^foo", "1.0.0-foo", ">=", "^", "~", "1.0 || foo", ">=1.0,foo", "1.2.3.4.5", "latest", "^1.0 ||",
		"$x", strings.Repeat("1||", maxConstraint),
	} {
		if IsConstraint(c) {
			t.Errorf("%q is taken", c)
		}
	}
}

// runPHP runs a script that answers line by line. Without PHP or the library the test is skipped, unless every client
// has to be there.
func runPHP(t *testing.T, script string, lines []string) []string {
	t.Helper()
	// The library of before Composer 2.6 takes one number behind a date, later ones two: that rule is the later ones'.
	const library = `require 'Composer/Semver/autoload.php';` +
		`$p = file_get_contents(stream_resolve_include_path('Composer/Semver/VersionParser.php'));` +
		`eval(substr(str_replace('{1,3})?)\'', '{1,3}){0,2})\'', $p), 5));`
	if out, err := exec.Command("php", "-r", library).CombinedOutput(); err != nil {
		if os.Getenv("LARDER_CLIENTS") == "all" {
			t.Fatalf("LARDER_CLIENTS=all, but composer/semver is not installed: %v %s", err, out)
		}
		t.Skip("PHP or composer/semver is not installed")
	}
	cmd := exec.Command(
		"php", "-r", library+`while (($l = fgets(STDIN)) !== false) { $l = rtrim($l, "\n"); `+script+` echo "\n"; }`,
	)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []string
	for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
		answers = append(answers, s.Text())
	}
	if len(answers) != len(lines) {
		t.Fatalf("%d questions, %d answers", len(lines), len(answers))
	}
	return answers
}

// noise is what random pieces of versions and constraints make.
func noise(n int) []string {
	pieces := strings.Split(
		"1 2 10 0 999999 20100102 2010 01 02 . . . . - _ + v V dev dev- -dev x X * beta b RC rc alpha a patch pl p "+
			"stable @dev @stable @RC as , | || >= < > != <> = == ^ ~ ~> #abc foo master / 1.0 1.2.3 2.x 1.x-dev dev-main 9",
		" ",
	)
	pieces = append(pieces, " ", " ", " - ")
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]string, n)
	for i := range out {
		for range 1 + r.IntN(7) {
			out[i] += pieces[r.IntN(len(pieces))]
		}
	}
	return out
}

// TestAgainstPHP: normal forms, constraints and order are the library's own, for the tables and for thousands of
// others.
func TestAgainstPHP(t *testing.T) {
	cases := noise(6_000)
	for v := range normals {
		cases = append(cases, v)
	}
	normalized := runPHP(
		t,
		`try { echo (new Composer\Semver\VersionParser)->normalize($l); } catch (UnexpectedValueException $e) { echo `+
			`'ERROR'; }`,
		cases,
	)
	parsed := runPHP(
		t,
		`try { (new Composer\Semver\VersionParser)->parseConstraints($l); echo 'true'; } catch (Throwable $e) { echo `+
			`'false'; }`,
		cases,
	)
	var all []string
	for i, c := range cases {
		got, ok := Normalize(c)
		if !ok {
			got = "ERROR"
		} else if !strings.HasPrefix(got, branch) {
			all = append(all, got)
		}
		if got != normalized[i] {
			t.Errorf("%q: %q, PHP says %q", c, got, normalized[i])
		}
		if fmt.Sprint(IsConstraint(c)) != parsed[i] {
			t.Errorf("constraint %q: %t, PHP says %s", c, IsConstraint(c), parsed[i])
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	pairs := make([]string, 6_000)
	for i := range pairs {
		pairs[i] = all[r.IntN(len(all))] + "\t" + all[r.IntN(len(all))]
	}
	for i, want := range runPHP(t, `[$a, $b] = explode("\t", $l); echo version_compare($a, $b);`, pairs) {
		a, b, _ := strings.Cut(pairs[i], "\t")
		if got := compareTokens(tokens(a), tokens(b)); fmt.Sprint(got) != want {
			t.Errorf("%s beside %s: %d, PHP says %s", a, b, got, want)
		}
	}
	t.Logf("%d versions and constraints, %d pairs", len(cases), len(pairs))
}

func FuzzVersion(f *testing.F) {
	for v := range normals {
		f.Add(v, "1.0.0")
	}
	for _, v := range ordered {
		f.Add(v, "1.0.0-beta2")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		IsConstraint(a)
		n, ok := Parse(a)
		if !ok {
			return
		}
		if strings.ContainsAny(n, "\x00#?%\\ ") || strings.Contains("/"+n+"/", "/../") || strings.Contains("/"+n+"/", "//") ||
			IsDev(n) && IsStable(n) {
			t.Fatalf("%q is %q", a, n)
		}
		m, ok := Parse(b)
		if !ok {
			return
		}
		x, y := PlaceOf(n), PlaceOf(m)
		if x.Compare(y) != -y.Compare(x) || x.Compare(x) != 0 || (x.Compare(y) == 0) != (n == m) {
			t.Fatalf("%q beside %q", n, m)
		}
	})
}
