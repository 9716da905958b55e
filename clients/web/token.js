/** The token that a server may want: that of the address, or what was typed into the page, for as long as the tab is open. */
const find = (id) => document.getElementById(id);

/** Where the browser keeps it; nowhere, where it was told to keep nothing. */
function kept(host, token) {
  const key = `token of ${host}`;
  try {
    if (token !== undefined) sessionStorage.setItem(key, token);
    return sessionStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} host of the feed
 * @returns {string | undefined} what to show the server; of an address, the token comes first
 */
export function tokenFor(host) {
  find("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = find("token").value;
    const address = new URL(location.href);
    address.searchParams.delete("token"); // that one was wrong
    if (kept(host, typed) !== typed) address.searchParams.set("token", typed);
    window.history.replaceState(null, "", address);
    location.reload();
  });
  return new URLSearchParams(location.search).get("token") ?? kept(host);
}
