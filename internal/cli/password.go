package cli

// This file asks for passwords.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxPasswordLine bounds what --password-stdin reads, in bytes.
const maxPasswordLine = 4096

// password reads a new password: the first line of stdin with fromStdin, else from the terminal, twice and without
// echo.
func (a *app) password(user string, fromStdin bool) (string, error) {
	if fromStdin {
		return a.passwordLine()
	}
	tty, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(tty.Fd())) {
		return "", usagef("there is no terminal to ask for a password; use --password-stdin")
	}
	first, err := a.prompt(tty, "Password for "+user+": ")
	if err != nil {
		return "", err
	}
	second, err := a.prompt(tty, "Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ")
	}
	return first, nil
}

func (a *app) prompt(tty *os.File, text string) (string, error) {
	fmt.Fprint(a.stderr, text)
	defer fmt.Fprintln(a.stderr)
	line, err := term.ReadPassword(int(tty.Fd()))
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	return string(line), nil
}

func (a *app) passwordLine() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(a.stdin, maxPasswordLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("standard input holds no password")
	}
	return line, nil
}
