// A page such as an app has: it signs in by a recipe of docs/clients.md, and opens forgot-password where that says so.
import { apps } from './apps.js';

const settings = Object.fromEntries(new URLSearchParams(location.search));
const app = await apps[settings.app](settings);
const [signInForm, resetForm] = document.forms;
const said = document.querySelector('#said');
const typed = (form) => Object.fromEntries(new FormData(form));

/** Shows what became of an attempt; `attempt` resolves to an ID token, or to null for forgot-password. */
async function show(form, attempt) {
  const button = form.querySelector('button');
  button.disabled = true;
  said.textContent = '…';
  try {
    said.textContent = await attempt();
  } catch (error) {
    said.textContent = `${error.name === 'Error' ? error.code : error.name}: ${error.message}`;
  } finally {
    button.disabled = false;
  }
}

async function signIn() {
  const { username, password } = typed(signInForm);
  const token = await app.signIn(username, password);
  if (token) return `Signed in: ${JSON.parse(atob(token.split('.')[1]))['custom:legacy_sub']}`;
  await app.forgot(username);
  resetForm.hidden = false;
  return 'Reset the password.';
}

async function reset() {
  const { code, chosen } = typed(resetForm);
  await app.confirm(typed(signInForm).username, code, chosen);
  resetForm.hidden = true;
  return 'Password set.';
}

for (const [form, attempt] of [[signInForm, signIn], [resetForm, reset]]) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    show(form, attempt);
  });
}
document.body.dataset.ready = 'true';
